"""The HTTP API; `uvicorn runs.api:app` serves it."""

from runs.api.app import app

__all__ = ["app"]
