"""Settings of a stack, merged from layers, each value with its source."""

from __future__ import annotations

from stackproof.settings.env_file import ensure_env_file
from stackproof.settings.explaining import SettingLine, explain
from stackproof.settings.loading import default_cache, load_settings, stacks
from stackproof.settings.model import (
    Command,
    Database,
    Settings,
    Suite,
    Timeouts,
)
from stackproof.stack_file.reading.suggestion import did_you_mean

__all__ = [
    "Command",
    "Database",
    "SettingLine",
    "Settings",
    "Suite",
    "Timeouts",
    "default_cache",
    "did_you_mean",
    "ensure_env_file",
    "explain",
    "load_settings",
    "stacks",
]
