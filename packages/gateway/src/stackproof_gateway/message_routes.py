"""The endpoints of Anthropic's that only it has, beside those that write a message."""

from __future__ import annotations

from starlette.responses import Response

from stackproof_gateway import message_batches, message_files, message_requests
from stackproof_gateway.call import Answer, Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.requests import model_of, parse_body

_BATCHES = "/messages/batches"
_BATCH = f"{_BATCHES}/{{batch}}"
_RETIRED = ("claude-2", "claude-instant", "claude-1")


async def refuse_completion(call: Call) -> Response:
    """Refuse a legacy completion, as no model is left that writes one.

    Source: reports of users, from memory: the newer models answered so while the older ones were
    there; that these are not found any more follows from the provider's list of retired models.
    """
    call.entry.model = model = model_of(parse_body(call.data))
    if model.startswith(_RETIRED):
        raise ProviderError(404, f"model: {model[:64]}")
    message = f'"{model[:64]}" is not supported on this API. Please use the Messages API instead.'
    raise ProviderError(400, message, param="model")


ENDPOINTS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/messages/count_tokens", message_requests.count_message_tokens),
    ("POST", _BATCHES, message_batches.create_batch),
    ("GET", _BATCHES, message_batches.list_batches),
    ("GET", _BATCH, message_batches.get_batch),
    ("DELETE", _BATCH, message_batches.delete_batch),
    ("POST", f"{_BATCH}/cancel", message_batches.cancel_batch),
    ("GET", f"{_BATCH}/results", message_batches.batch_results),
    ("POST", "/complete", refuse_completion),
)

SHARED: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/files", message_files.upload),
    ("GET", "/files", message_files.list_files),
    ("GET", "/files/{file}", message_files.get_file),
    ("DELETE", "/files/{file}", message_files.delete_file),
    ("GET", "/files/{file}/content", message_files.get_content),
)
"""Those whose paths are OpenAI's as well."""
