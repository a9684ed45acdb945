"""The gateway as an ASGI application."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.applications import Starlette
from starlette.datastructures import State
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from stackproof_gateway.apis import api_outside
from stackproof_gateway.concepts import NO_CONCEPTS, load_concepts
from stackproof_gateway.control import answer as control_answer
from stackproof_gateway.control import control_routes
from stackproof_gateway.direct import Shortcut
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.guard import Guard, Rules
from stackproof_gateway.hiding import Hiding
from stackproof_gateway.hosts import Hosts
from stackproof_gateway.leases import Leases
from stackproof_gateway.model_rules import load_rules
from stackproof_gateway.namespaces import Namespaces
from stackproof_gateway.options import ASKING, Options
from stackproof_gateway.provider.starting import make_mode
from stackproof_gateway.provider_routes import provider_routes
from stackproof_gateway.script_reading import load_scripts
from stackproof_gateway.server_answers import server_envelope
from stackproof_gateway.server_paths import ServerPaths
from stackproof_gateway.server_rules import server_of
from stackproof_gateway.unknown import unknown_routes

METHOD_NOT_ALLOWED = 405
SHOWN_TO_PAGES = ("request-id", "retry-after", "x-request-id", "x-should-retry")
"""Headers of an answer that the clients read, which a browser hides from a page unless told."""

TOKEN_BYTES = 16


class Shared(State):
    """What all calls share; a call reads it often, and a plain attribute costs it the least."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    yield
    if app.state.mode is not None:
        await app.state.mode.close()


async def _health(request: Request) -> Response:
    return control_answer({"status": "ok", "llm": request.app.state.options.llm})


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    message = f"Invalid URL ({request.method} {request.url.path})"
    if status == METHOD_NOT_ALLOWED:
        message = f"Not allowed to {request.method} on {request.url.path}"
    failed = ProviderError(status, message)
    api = api_outside(request.url.path, request.headers, request.url.query)
    envelope = server_envelope(failed, request.app.state.server, api)
    headers = getattr(error, "headers", None) or {}
    return Response(to_bytes(envelope), status, headers, media_type="application/json")


def _doors(options: Options, endpoints: list[Route]) -> list[Middleware]:
    """What stands before the routes, the outermost first."""
    rules = Rules(
        Hosts(options.host, options.allowed_hosts),
        frozenset(options.allowed_origins),
        options.token,
        costs_money=options.llm in ASKING,
    )
    doors = [Middleware(Guard, rules=rules)]
    if options.allowed_origins:
        doors.append(
            Middleware(
                CORSMiddleware,
                allow_origins=options.allowed_origins,
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=SHOWN_TO_PAGES,
            )
        )
    server = server_of(options.dialect)
    if server.deployments or server.prefixes:
        doors.append(Middleware(ServerPaths, server=server))
    return [*doors, Middleware(Shortcut, routes=endpoints)]


def create_app(options: Options | None = None) -> Starlette:
    """The application, with namespaces of its own.

    Args:
        options: Its settings.

    What `app.state.say` is set to gets a line for each call. `app.state.token` is the token that
    its control interface needs; without one in the options it is a new one.

    Raises:
        ScriptError: If a file of the settings is not what it should be.
    """
    options = options or Options()
    if not options.token:
        options = replace(options, token=secrets.token_hex(TOKEN_BYTES))
    mode = make_mode(options)
    endpoints = provider_routes(options.llm)
    routes = [
        *endpoints,
        Route("/health", _health),
        Route("/healthz", _health),
        Mount("/_gateway", routes=control_routes()),
        *unknown_routes(endpoints),
    ]
    app = Starlette(
        routes=routes,
        middleware=_doors(options, endpoints),
        exception_handlers={HTTPException: _http_error},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state = Shared()
    app.state.token = options.token
    app.state.hiding = Hiding(
        [options.token, options.openai_key, options.anthropic_key, options.gemini_key]
    )
    app.state.mode = mode
    app.state.server = server_of(options.dialect)
    app.state.options = options
    app.state.say = None
    app.state.leases = Leases()
    app.state.concepts = load_concepts(options.concepts) if options.concepts else NO_CONCEPTS
    app.state.model_rules = load_rules(options.model_rules)
    app.state.namespaces = Namespaces(load_scripts(options.scripts) if options.scripts else ())
    return app
