"""The provider's endpoints, alone and in a namespace; what is asked most comes first."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from stackproof_gateway import (
    batches,
    chat,
    chat_requests,
    completions,
    files,
    images,
    listing,
    message_caching,
    message_requests,
    message_routes,
    messages,
    response_events,
    response_requests,
    response_routes,
    response_store,
    responses,
    speech,
    store_files,
    stored_chats,
    transcriptions,
    uploads,
    vector_stores,
)
from stackproof_gateway.apis import ANTHROPIC, GOOGLE
from stackproof_gateway.call import Answer, Call
from stackproof_gateway.direct import Direct
from stackproof_gateway.embedding_requests import embeddings
from stackproof_gateway.endpoint import endpoint
from stackproof_gateway.gemini import routes as gemini
from stackproof_gateway.gemini import uploads as gemini_uploads
from stackproof_gateway.generation import Dialect, generator
from stackproof_gateway.moderations import moderations
from stackproof_gateway.prompt_caching import cache_counts
from stackproof_gateway.provider.relaying import relayed

CHAT = Dialect(
    chat_requests.KNOWN_FIELDS, chat_requests.read_chat, chat.as_json, chat.as_events,
    keep=stored_chats.keep, cache_counts=cache_counts, dresses=True, takes=("annotations",),
)  # fmt: skip
COMPLETIONS = Dialect(
    completions.KNOWN_FIELDS, completions.read_completion, completions.as_json,
    completions.as_events,
)  # fmt: skip
RESPONSES = Dialect(
    response_requests.KNOWN_FIELDS, response_requests.read_response, responses.as_answer,
    responses.as_events, response_events.error_event, response_store.keep, cache_counts,
    takes=("annotations", "built_in", "items"),
)  # fmt: skip
MESSAGES = Dialect(
    message_requests.KNOWN_FIELDS, message_requests.read_message, messages.as_json,
    messages.as_events, messages.error_event, messages.keep, message_caching.cache_counts,
    takes=("built_in",),
)  # fmt: skip

_DIALECTS = (
    ("/chat/completions", CHAT),
    ("/responses", RESPONSES),
    ("/messages", MESSAGES),
    ("/completions", COMPLETIONS),
)

_STORE = "/vector_stores/{store}"
_STORED_CHAT = "/chat/completions/{completion}"
_ENDPOINTS: tuple[tuple[str, str, Answer], ...] = (
    ("POST", "/chat/completions", generator(CHAT)),
    ("POST", "/embeddings", embeddings),
    ("POST", "/responses", generator(RESPONSES)),
    ("POST", "/messages", generator(MESSAGES)),
    ("POST", "/completions", generator(COMPLETIONS)),
    ("POST", "/moderations", moderations),
    ("GET", "/chat/completions", stored_chats.list_chats),
    ("GET", _STORED_CHAT, stored_chats.get_chat),
    ("POST", _STORED_CHAT, stored_chats.update_chat),
    ("DELETE", _STORED_CHAT, stored_chats.delete_chat),
    ("GET", f"{_STORED_CHAT}/messages", stored_chats.list_messages),
    ("GET", "/models", listing.models),
    ("GET", "/models/{model:path}", listing.one_model),
    ("DELETE", "/models/{model:path}", listing.delete_model),
    *message_routes.ENDPOINTS,
    *response_routes.ENDPOINTS,
    ("POST", "/files", files.upload),
    ("GET", "/files", files.list_files),
    ("GET", "/files/{file}", files.get_file),
    ("DELETE", "/files/{file}", files.delete_file),
    ("GET", "/files/{file}/content", files.get_content),
    ("POST", "/audio/speech", speech.create_speech),
    ("POST", "/audio/transcriptions", transcriptions.listener("transcribe")),
    ("POST", "/audio/translations", transcriptions.listener("translate")),
    *images.ENDPOINTS,
    *uploads.ENDPOINTS,
    *batches.ENDPOINTS,
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


DOORS = ("", "/t/{namespace}", "/t/{namespace}/f/{fault}", "/f/{fault}")
"""What can stand before the path of an endpoint."""

OPEN = frozenset({f"/v1{images.PICTURE}"})
"""What clients get without a key, as an address that the provider has signed."""

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def provider_routes(llm: str = "fake") -> list[Route]:
    """The routes of the provider.

    Args:
        llm: Who answers. Where it is recordings or the real provider there is one for all paths,
            so that the journal has every call; what the real provider may get is decided there.
    """
    fake, routes = llm == "fake", list[Route]()
    for verbs, path, answer in _answered() if fake else _relayed():
        served = Direct(endpoint(answer, needs_key=path not in OPEN, takes_forms=fake))
        routes += [Route(door + path, served, methods=verbs) for door in DOORS]
    return routes


Told = list[tuple[list[str], str, Answer]]
"""Methods, path and answer of endpoints."""


def _relayed() -> Told:
    told: Told = [(["POST"], "/v1" + path, relayed(dialect)) for path, dialect in _DIALECTS]
    told += [
        (["POST"], version + path, answer)
        for version in gemini.VERSIONS
        for path, answer in gemini.generating(relayed)
    ]
    told += [(METHODS, path, relayed()) for path in gemini.UPLOADS]
    told += [(METHODS, f"{version}/{{path:path}}", relayed()) for version in gemini.VERSIONS]
    return told


def _answered() -> Told:
    told: Told = [([verb], "/v1" + path, _shared(verb, path, answer))
                  for verb, path, answer in _ENDPOINTS]  # fmt: skip
    told += [
        (["POST"], version + path, answer)
        for version in gemini.VERSIONS
        for path, answer in gemini.generating()
    ]
    told += [
        ([verb], version + path, answer)
        for version in gemini.VERSIONS
        for verb, path, answer in gemini.ENDPOINTS
    ]
    told += [(["POST"], path, gemini_uploads.upload) for path in gemini.UPLOADS]
    return told + [([verb], "/v1beta" + path, answer) for verb, path, answer in gemini.SHARED]


def _shared(verb: str, path: str, answer: Answer) -> Answer:
    """The answer of an endpoint that is also another provider's, if it is one."""
    others = {
        api: theirs
        for api, shared in ((GOOGLE, gemini.SHARED), (ANTHROPIC, message_routes.SHARED))
        for their_verb, their_path, theirs in shared
        if (their_verb, their_path) == (verb, path)
    }
    if not others:
        return answer

    async def either(call: Call) -> Response:
        return await others.get(call.api, answer)(call)

    return either
