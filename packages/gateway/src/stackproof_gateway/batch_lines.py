"""The lines of a batch's input file, and of its output and error files.

Source: OpenAI API reference, "Batch"; the codes of errors are those that it documents. Of the texts
only that of `invalid_json_line` is confirmed by a report of a user of the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.contents import Contents
from stackproof_gateway.encoding import to_bytes, value_or
from stackproof_gateway.inside import Answered, Asked

MOST_LINES = 50_000
MOST_ERRORS = 100
FIRST_FAILURE = 400
REQUIRED: dict[str, type] = {"custom_id": str, "method": str, "url": str, "body": dict}

LineError = dict[str, Any]
Problem = tuple[str, str, str | None]
"""Code, message and param."""


def requests_of(contents: Contents, endpoint: str) -> Iterator[Asked]:
    """The requests of a file without errors."""
    for line in contents.lines():
        if line.strip():
            value = value_or(line)
            yield Asked(value["custom_id"], endpoint, value["body"])


def errors_of(contents: Contents, endpoint: str) -> list[LineError]:
    """What is wrong with an input file, at most 100 errors.

    Args:
        contents: The file.
        endpoint: The endpoint of the batch.
    """
    checked, count, errors = _Lines(endpoint), 0, []
    for number, line in enumerate(contents.lines(), 1):
        if not line.strip():
            continue
        count += 1
        problem = next(checked.problems(line), None)
        if problem:
            errors.append(_error(number, problem))
            if len(errors) == MOST_ERRORS:
                break
    if not count:
        errors.append(_error(None, ("empty_file", "The input file is empty.", None)))
    if count > MOST_LINES:
        message = f"A batch has at most {MOST_LINES} requests, but the input file has more."
        errors.append(_error(None, ("too_many_tasks", message, None)))
    return errors


def _error(line: int | None, problem: Problem) -> LineError:
    code, message, param = problem
    return {"code": code, "line": line, "message": message, "param": param}


class _Lines:
    """What is known of the lines so far."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._seen: set[str] = set()
        self._models: list[Any] = []

    def problems(self, line: bytes) -> Iterator[Problem]:
        """What is wrong with the next line; the first one counts."""
        value = value_or(line)
        if not isinstance(value, dict):
            yield "invalid_json_line", "This line is not parseable as valid JSON.", None
            return
        yield from _missing(value)
        identity, url, body = value["custom_id"], value["url"], value["body"]
        if identity in self._seen:
            message = f"The custom_id {identity[:64]!r} is not unique in this batch."
            yield "duplicate_custom_id", message, "custom_id"
        self._seen.add(identity)
        if value["method"] != "POST":
            yield "invalid_method", "The method of a request in a batch is 'POST'.", "method"
        if url != self._endpoint:
            message = f"The url {url[:64]!r} is not the batch's endpoint {self._endpoint!r}."
            yield "url_mismatch", message, "url"
        self._models = self._models or [body.get("model")]
        if body.get("model") != self._models[0]:
            message = "All requests of a batch ask for the same model."
            yield "model_mismatch", message, "body.model"
        if body.get("stream"):
            yield "invalid_value", "A request in a batch can't be streamed.", "body.stream"


def _missing(value: dict[str, Any]) -> Iterator[Problem]:
    for name, kind in REQUIRED.items():
        if value.get(name) is None:
            yield "missing_required_parameter", f"Missing required parameter: '{name}'.", name
        if not isinstance(value.get(name), kind):
            wanted = "a string" if kind is str else "an object"
            yield "invalid_type", f"Invalid type for '{name}': expected {wanted}.", name


def answered_line(identity: str, asked: Asked, answered: Answered) -> bytes:
    """A line of the output or error file: what an endpoint has answered."""
    if answered.body is None:
        message = "The connection broke before the whole answer was there."
        return failed_line(identity, asked.custom_id, "request_timeout", message)
    response = {
        "status_code": answered.status,
        "request_id": answered.request_id,
        "body": answered.body,
    }
    return _line(id=identity, custom_id=asked.custom_id, response=response, error=None)


def failed_line(identity: str, custom_id: str, code: str, message: str) -> bytes:
    """A line of the error file: a request that no endpoint has answered."""
    error = {"code": code, "message": message}
    return _line(id=identity, custom_id=custom_id, response=None, error=error)


def _line(**fields: Any) -> bytes:
    return to_bytes(fields) + b"\n"


def succeeded(answered: Answered) -> bool:
    """Whether a request goes to the output file."""
    return answered.body is not None and answered.status < FIRST_FAILURE
