"""The gateway as an ASGI application."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from stackproof.gateway.concepts import NO_CONCEPTS, load_concepts
from stackproof.gateway.control import answer as control_answer
from stackproof.gateway.control import control_routes
from stackproof.gateway.encoding import to_bytes
from stackproof.gateway.errors import ProviderError
from stackproof.gateway.guard import Guard, Rules
from stackproof.gateway.hiding import Hiding
from stackproof.gateway.hosts import Hosts
from stackproof.gateway.namespaces import Namespaces
from stackproof.gateway.options import ASKING, Options
from stackproof.gateway.provider.starting import make_mode
from stackproof.gateway.provider_routes import provider_routes
from stackproof.gateway.script_reading import load_scripts

METHOD_NOT_ALLOWED = 405
TOKEN_BYTES = 16


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
    envelope = failed.envelope
    if "anthropic-version" in request.headers:
        envelope = failed.anthropic_envelope("req_00000000")
    headers = getattr(error, "headers", None) or {}
    return Response(to_bytes(envelope), status, headers, media_type="application/json")


def _doors(options: Options) -> list[Middleware]:
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
            )
        )
    return doors


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
    routes = [
        *provider_routes(options.llm),
        Route("/health", _health),
        Route("/healthz", _health),
        Mount("/_gateway", routes=control_routes()),
    ]
    app = Starlette(
        routes=routes,
        middleware=_doors(options),
        exception_handlers={HTTPException: _http_error},
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.state.token = options.token
    app.state.hiding = Hiding([options.token, options.openai_key, options.anthropic_key])
    app.state.mode = mode
    app.state.options = options
    app.state.say = None
    app.state.concepts = load_concepts(options.concepts) if options.concepts else NO_CONCEPTS
    app.state.namespaces = Namespaces(load_scripts(options.scripts) if options.scripts else ())
    return app
