"""The way to the provider's endpoints past layers of Starlette that they do not need.

Each layer costs a call a twentieth: the search among hundreds of routes, and the handlers of errors
that an endpoint answers by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stackproof_gateway.endpoint import Endpoint

_DOORS = re.compile(r"(?:/t/(?P<namespace>[^/]+))?(?:/f/(?P<fault>[^/]+))?(?P<rest>/.*)", re.DOTALL)


class Direct:
    """An endpoint as an application.

    Args:
        serve: The endpoint.
    """

    def __init__(self, serve: Endpoint) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        response = await self._serve(Request(scope, receive, send))
        await response(scope, receive, send)


class Shortcut:
    """Stands before the routes, and knows the endpoints whose paths never change.

    Args:
        app: The routes.
        routes: The provider's endpoints.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._known = {
            (verb, route.path): route.app
            for route in reversed(routes)  # the first one of a path counts
            if not route.param_convertors
            for verb in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to its endpoint, or to the routes."""
        if scope["type"] == "http":
            path, doors = scope["path"], dict[str, str]()
            if path.startswith(("/t/", "/f/")) and (door := _DOORS.fullmatch(path)):
                doors = {name: value for name, value in door.groupdict().items() if value}
                path = doors.pop("rest")
            known = self._known.get((scope["method"], path))
            if known is not None:
                scope["path_params"] = doors
                await known(scope, receive, send)
                return
        await self._app(scope, receive, send)
