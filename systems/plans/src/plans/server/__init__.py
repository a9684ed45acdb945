"""The MCP server and what stands beside it; `uvicorn plans.server:app` serves it."""

from plans.server.app import app

__all__ = ["app"]
