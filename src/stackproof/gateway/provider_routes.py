"""The provider's endpoints, alone and in a namespace; what is asked most comes first."""

from __future__ import annotations

from starlette.routing import Route

from stackproof.gateway import (
    chat,
    chat_requests,
    completions,
    files,
    listing,
    message_requests,
    messages,
    response_requests,
    responses,
    store_files,
    vector_stores,
)
from stackproof.gateway.call import Answer, endpoint
from stackproof.gateway.embedding_requests import embeddings
from stackproof.gateway.generation import Dialect, generator, openai_error_event
from stackproof.gateway.moderations import moderations
from stackproof.gateway.provider.relaying import relayed

CHAT = Dialect(
    known=chat_requests.KNOWN_FIELDS,
    read=lambda call, body: chat_requests.read_chat(body, call.entry.path),
    as_json=chat.as_json,
    as_events=chat.as_events,
    error_event=openai_error_event,
)
COMPLETIONS = Dialect(
    known=completions.KNOWN_FIELDS,
    read=lambda call, body: completions.read_completion(body, call.entry.path),
    as_json=completions.as_json,
    as_events=completions.as_events,
    error_event=openai_error_event,
)
RESPONSES = Dialect(
    known=response_requests.KNOWN_FIELDS,
    read=response_requests.read_response,
    as_json=responses.as_json,
    as_events=responses.as_events,
    error_event=responses.error_event,
    keep=responses.keep,
)
MESSAGES = Dialect(
    known=message_requests.KNOWN_FIELDS,
    read=lambda call, body: message_requests.read_message(body, call.entry.path),
    as_json=messages.as_json,
    as_events=messages.as_events,
    error_event=messages.error_event,
)

_DIALECTS = (
    ("/chat/completions", CHAT),
    ("/responses", RESPONSES),
    ("/messages", MESSAGES),
    ("/completions", COMPLETIONS),
)

_STORE = "/vector_stores/{store}"
_ENDPOINTS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/chat/completions", generator(CHAT)),
    ("POST", "/embeddings", embeddings),
    ("POST", "/responses", generator(RESPONSES)),
    ("POST", "/messages", generator(MESSAGES)),
    ("POST", "/messages/count_tokens", message_requests.count_message_tokens),
    ("POST", "/completions", generator(COMPLETIONS)),
    ("POST", "/moderations", moderations),
    ("GET", "/models", listing.models),
    ("GET", "/models/{model:path}", listing.one_model),
    ("GET", "/responses/{response}", responses.get_response),
    ("DELETE", "/responses/{response}", responses.delete_response),
    ("GET", "/responses/{response}/input_items", responses.get_input_items),
    ("POST", "/files", files.upload),
    ("GET", "/files", files.list_files),
    ("GET", "/files/{file}", files.get_file),
    ("DELETE", "/files/{file}", files.delete_file),
    ("GET", "/files/{file}/content", files.get_content),
    ("POST", "/vector_stores", vector_stores.create_store),
    ("GET", "/vector_stores", vector_stores.list_stores),
    ("GET", _STORE, vector_stores.get_store),
    ("POST", _STORE, vector_stores.update_store),
    ("DELETE", _STORE, vector_stores.delete_store),
    ("POST", f"{_STORE}/search", vector_stores.search_store),
    ("POST", f"{_STORE}/files", store_files.attach),
    ("GET", f"{_STORE}/files", store_files.list_attached),
    ("GET", f"{_STORE}/files/{{file}}", store_files.get_attached),
    ("POST", f"{_STORE}/files/{{file}}", store_files.update_attached),
    ("DELETE", f"{_STORE}/files/{{file}}", store_files.detach),
    ("GET", f"{_STORE}/files/{{file}}/content", store_files.attached_content),
    ("POST", f"{_STORE}/file_batches", store_files.create_batch),
    ("GET", f"{_STORE}/file_batches/{{batch}}", store_files.get_batch),
    ("POST", f"{_STORE}/file_batches/{{batch}}/cancel", store_files.get_batch),
    ("GET", f"{_STORE}/file_batches/{{batch}}/files", store_files.list_batch),
)


PREFIXES = (
    "/v1",
    "/t/{namespace}/v1",
    "/t/{namespace}/f/{fault}/v1",
    "/f/{fault}/v1",
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def provider_routes(llm: str = "fake") -> list[Route]:
    """The routes of the provider.

    Args:
        llm: Who answers. Where it is recordings or the real provider there is one for all paths,
            so that the journal has every call; what the real provider may get is decided there.
    """
    if llm != "fake":
        told = [(path, endpoint(relayed(dialect)), ["POST"]) for path, dialect in _DIALECTS]
        told.append(("/{path:path}", endpoint(relayed()), METHODS))
        return [
            Route(prefix + path, serve, methods=verbs)
            for path, serve, verbs in told
            for prefix in PREFIXES
        ]
    return [
        Route(prefix + path, serve, methods=[verb])
        for verb, path, serve in [(verb, path, endpoint(one)) for verb, path, one in _ENDPOINTS]
        for prefix in PREFIXES
    ]
