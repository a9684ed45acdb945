"""Tells watchers, over WebSockets, what changes."""

from automation.notifier.app import app

__all__ = ["app"]
