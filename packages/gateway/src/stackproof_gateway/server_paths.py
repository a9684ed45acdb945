"""Paths of servers that are compatible with OpenAI, as the gateway routes them: below `/v1`.

Source of Azure's: `AzureOpenAI` of openai-python, lib/azure.py. All but those below `/openai/v1`
need `api-version`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from stackproof_gateway.server_rules import Server

DEPLOYMENT, ELSEWHERE = "stackproof.deployment", "stackproof.elsewhere"
"""Where the scope of a request says its deployment, and that the server has no such path."""

_FRONT = re.compile(r"(?P<front>(?:/t/[^/]+)?(?:/f/[^/]+)?)(?P<rest>/.*)")
_AZURE = re.compile(
    r"/openai(?P<v1>/v1)?(?:/deployments/(?P<deployment>[^/]+))?(?P<rest>/.+)"
)  # a deployment has no slash
_OTHERS = ("/v1/messages",)
"""Paths below `/v1` of another provider."""


@dataclass(frozen=True)
class Route:
    """Where a request goes.

    Attributes:
        path: The path that the gateway routes.
        deployment: The deployment of Azure that the path names.
        elsewhere: Whether the server has no such path.
    """

    path: str
    deployment: str | None = None
    elsewhere: bool = False


def route_of(path: str, query: str, server: Server) -> Route:
    """Where a request goes.

    Args:
        path: Its path, without token.
        query: Its query.
        server: The server that it is for.
    """
    split = _FRONT.fullmatch(path)
    if split is None:
        return Route(path)
    front, rest = split["front"], split["rest"]
    for prefix in server.prefixes:
        if rest.startswith(f"{prefix}/"):
            return Route(f"{front}/v1{rest.removeprefix(prefix)}")
    if not server.deployments:
        return Route(path)
    azure = _AZURE.fullmatch(rest)
    if azure is None:
        others = rest.startswith(_OTHERS)
        return Route(path, elsewhere=rest.startswith("/v1/") and not others)
    needs_version = azure["v1"] is None
    elsewhere = needs_version and not parse_qs(query).get("api-version")
    elsewhere |= not needs_version and azure["deployment"] is not None
    return Route(f"{front}/v1{azure['rest']}", azure["deployment"], elsewhere)


class ServerPaths:
    """Stands before the routes of a gateway with a dialect.

    Args:
        app: The application.
        server: The server of the dialect.
    """

    def __init__(self, app: ASGIApp, server: Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, with the path that is routed."""
        if scope["type"] == "http":
            query = scope["query_string"].decode("latin-1")
            route = route_of(scope["path"], query, self._server)
            scope = {**scope, "path": route.path, "raw_path": route.path.encode(),
                     DEPLOYMENT: route.deployment, ELSEWHERE: route.elsewhere}  # fmt: skip
        await self._app(scope, receive, send)
