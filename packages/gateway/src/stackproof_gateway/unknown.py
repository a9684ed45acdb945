"""Requests to endpoints that the gateway does not have: refused as the provider does, and noted.

What an application asks for in vain is what its test wants to see, so it stands in the journal;
but not what comes without a key and elsewhere than below `/v1`, such as a health check. Source of
the texts: reports of users of the API (2023 to 2026), who met the first one below `/v1` and the
other one, with its code, elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from stackproof_gateway.call import Answer, Call, own_path
from stackproof_gateway.endpoint import endpoint
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.namespaces import api_key

PREFIXES = ("/t/{namespace}/f/{fault}", "/t/{namespace}", "/f/{fault}", "")
BELOW = ("/v1/", "/v1beta/")
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def unknown_routes(known: Sequence[Route]) -> list[Route]:
    """Routes for all that no other one is for; they come last.

    Args:
        known: The provider's endpoints.
    """
    noted = endpoint(_refused(known), needs_key=False)

    async def serve(request: Request) -> Response:
        key = api_key(request.headers, request.app.state.server.key_headers)
        if not (key or own_path(request).startswith(BELOW)):
            raise HTTPException(404)
        return await noted(request)

    return [Route(prefix + "/{rest:path}", serve, methods=METHODS) for prefix in PREFIXES]


def _refused(known: Sequence[Route]) -> Answer:
    async def answer(call: Call) -> Response:
        method, path = call.request.method, call.entry.path
        scope = {**call.request.scope, "path": path}
        verbs = {verb for route in known if route.matches(scope)[0] is Match.PARTIAL
                 for verb in route.methods or ()}  # fmt: skip
        if verbs:
            allowed = {"allow": ", ".join(sorted(verbs))}
            raise ProviderError(405, f"Not allowed to {method} on {path}", headers=allowed)
        if path.startswith(BELOW):
            raise ProviderError(404, f"Invalid URL ({method} {path})")
        below = {**scope, "path": f"/v1{path}"}
        hint = "Please check the URL for typos."
        if any(route.matches(below)[0] is not Match.NONE for route in known):
            hint = "The base URL of this gateway ends with /v1; this one lacks it."
        message = f"Unknown request URL: {method} {path}. {hint}"
        raise ProviderError(404, message, code="unknown_url")

    return answer
