"""Runs the migrations against the database that the environment names, one process at a time."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from automation.models import Base
from automation.settings import settings
from sqlalchemy import create_engine, text

ONE_AT_A_TIME = 7_112_026
"""Key of the advisory lock: several that migrate at once wait for each other."""

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

with create_engine(settings().database_url).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        context.run_migrations()
