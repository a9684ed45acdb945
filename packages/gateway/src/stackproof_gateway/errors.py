"""The providers' errors: their envelopes, statuses and codes.

Sources: OpenAI API reference, "Error codes" (`{"error": {message, type, param, code}}`); Anthropic
API reference, "Errors" (`{"type": "error", "error": {type, message}, "request_id"}`); Google Cloud
API design guide, "Errors" (`{"error": {code, message, status, details}}`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NAMES = {dict: "an object", list: "an array", str: "a string", bool: "a boolean",
          int: "an integer", float: "a decimal", type(None): "null"}  # fmt: skip
_ANTHROPIC = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
              404: "not_found_error", 405: "invalid_request_error", 413: "request_too_large",
              429: "rate_limit_error", 529: "overloaded_error"}  # fmt: skip
_GOOGLE = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED",
           404: "NOT_FOUND", 409: "ALREADY_EXISTS", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED",
           500: "INTERNAL", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE",
           504: "DEADLINE_EXCEEDED"}  # fmt: skip
_GOOGLE_WORDS = frozenset({*_GOOGLE.values(), "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
                           "DATA_LOSS", "UNKNOWN"})  # fmt: skip
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
        details: What Anthropic's envelope says more, such as `error_code`.
        rpc: What Google's envelope says more, such as the fields that are wrong.
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
        details: dict[str, Any] | None = None,
        rpc: Sequence[dict[str, Any]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.details = details
        self.rpc = list(rpc)
        self.envelope: dict[str, Any] = {
            "error": {"message": message, "type": kind, "param": param, "code": code}
        }

    def anthropic_envelope(self, request_id: str) -> dict[str, Any]:
        """The same error as Anthropic writes it."""
        kind = "api_error" if self.status >= _FIRST_SERVER_ERROR else "invalid_request_error"
        error: dict[str, Any] = {
            "type": _ANTHROPIC.get(self.status, kind),
            "message": self.message,
            **({"details": self.details} if self.details else {}),
        }
        return {"type": "error", "error": error, "request_id": request_id}

    @property
    def google_envelope(self) -> dict[str, Any]:
        """The same error as Google writes it."""
        kind = "INTERNAL" if self.status >= _FIRST_SERVER_ERROR else "INVALID_ARGUMENT"
        code = self.envelope["error"]["code"]
        known = code if code in _GOOGLE_WORDS else _GOOGLE.get(self.status, kind)
        details = list(self.rpc)
        if "retry-after" in self.headers:
            details.append({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": f"{self.headers['retry-after']}s",
            })  # fmt: skip
        error = {"code": self.status, "message": self.message, "status": known}
        return {"error": {**error, **({"details": details} if details else {})}}


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
