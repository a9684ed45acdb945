"""Runs the migrations against the database that the environment names, one process at a time."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from plans.database import engine
from plans.models import Base
from sqlalchemy import text

ONE_AT_A_TIME = 7_112_026
"""Key of the advisory lock: several that migrate at once wait for each other."""

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

with engine().connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        context.run_migrations()
