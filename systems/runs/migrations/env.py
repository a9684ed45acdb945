"""Runs the migrations against the database that the environment names."""

from __future__ import annotations

from logging.config import fileConfig

from alembic import context
from runs.database import engine
from runs.models import Base

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)

with engine().connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
