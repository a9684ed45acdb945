"""The providers' errors: their envelopes, statuses and codes.

Sources: OpenAI API reference, "Error codes" (`{"error": {message, type, param, code}}`); Anthropic
API reference, "Errors" (`{"type": "error", "error": {type, message}, "request_id"}`).
"""

from __future__ import annotations

from typing import Any

_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer",
          float: "decimal", type(None): "null"}  # fmt: skip
_ANTHROPIC = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
              404: "not_found_error", 405: "invalid_request_error", 413: "request_too_large",
              429: "rate_limit_error", 529: "overloaded_error"}  # fmt: skip
_FIRST_SERVER_ERROR = 500


class ProviderError(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        message: Text for people.
        kind: `type` of the envelope.
        code: `code` of the envelope, if it has one.
        param: Which part of the request is wrong, if one is.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.envelope: dict[str, Any] = {
            "error": {"message": message, "type": kind, "param": param, "code": code}
        }

    def anthropic_envelope(self, request_id: str) -> dict[str, Any]:
        """The same error as Anthropic writes it."""
        kind = "api_error" if self.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
        error = {"type": _ANTHROPIC.get(self.status, kind), "message": self.message}
        return {"type": "error", "error": error, "request_id": request_id}


def missing(param: str) -> ProviderError:
    """A part that every request has is not there."""
    message = f"Missing required parameter: '{param}'."
    return ProviderError(400, message, param=param, code="missing_required_parameter")


def bad_value(param: str, message: str) -> ProviderError:
    """A part of the request has a value that the provider refuses."""
    return ProviderError(400, message, param=param, code="invalid_value")


def bad_type(param: str, wanted: str, found: object) -> ProviderError:
    """A part of the request has a type that the provider refuses."""
    message = (
        f"Invalid type for '{param}': expected {wanted}, but got {_NAMES[type(found)]} instead."
    )
    return ProviderError(400, message, param=param, code="invalid_type")


def not_found(what: str, identity: str) -> ProviderError:
    """There is no such object in this namespace."""
    return ProviderError(404, f"No such {what} object: {identity}", param="id")
