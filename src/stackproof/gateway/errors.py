"""The provider's errors: their envelope, statuses and codes.

Source: OpenAI API reference, "Error codes"; `{"error": {message, type, param, code}}`.
"""

from __future__ import annotations


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
        self.headers = headers or {}
        self.envelope = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def bad_value(param: str, message: str) -> ProviderError:
    """A part of the request has a value that the provider refuses."""
    return ProviderError(400, message, param=param, code="invalid_value")


def bad_type(param: str, wanted: str, found: object) -> ProviderError:
    """A part of the request has a type that the provider refuses."""
    name = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer",
            float: "decimal", type(None): "null"}[type(found)]  # fmt: skip
    message = f"Invalid type for '{param}': expected {wanted}, but got {name} instead."
    return ProviderError(400, message, param=param, code="invalid_type")
