"""The REST interface: bearer tokens, and `{"data": …}` around each answer."""

from automation.api.app import app

__all__ = ["app"]
