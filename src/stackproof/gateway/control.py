"""The control API: what tests ask and tell the gateway, namespace by namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stackproof.gateway.encoding import from_bytes, to_bytes
from stackproof.gateway.faults import UNITS, ArmedFault, parse_exactly
from stackproof.gateway.namespaces import Namespace
from stackproof.gateway.provider.budget import LedgerError
from stackproof.gateway.provider.serving import Asking
from stackproof.gateway.script_reading import read_script
from stackproof.gateway.strict_fields import ScriptError
from stackproof.gateway.verdict import verdicts

Act = Callable[[Namespace, Any], Any]


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(to_bytes(value), status, media_type="application/json")


def _namespace(request: Request) -> Namespace:
    found: Namespace = request.app.state.namespaces.get(request.path_params["namespace"])
    return found


def _without_secrets(request: Request, value: Any) -> Response:
    """A value as JSON; a client may have sent a secret in what is shown."""
    hiding = request.app.state.hiding
    return Response(hiding.hide(to_bytes(value)), media_type="application/json")


async def _names(request: Request) -> Response:
    return answer({"namespaces": request.app.state.namespaces.names()})


async def _whole_journal(request: Request) -> Response:
    namespaces = request.app.state.namespaces
    found = {name: namespaces.get(name).journal.to_json() for name in namespaces.names()}
    return _without_secrets(request, {"namespaces": found})


async def _journal(request: Request) -> Response:
    journal = _namespace(request).journal
    entries = journal.to_json(model=request.query_params.get("model"))
    return _without_secrets(request, {"entries": entries, "dropped": journal.dropped})


async def _reset(request: Request) -> Response:
    request.app.state.namespaces.reset(request.path_params["namespace"])
    return answer({"status": "ok"})


async def _verdict(request: Request) -> Response:
    return answer({"clients": verdicts(_namespace(request).journal.entries)})


async def _scripts(request: Request) -> Response:
    book = _namespace(request).scripts
    return answer({"scripts": book.to_json(), "unused": book.unused()})


async def _bill(request: Request) -> Response:
    mode = request.app.state.mode
    if not isinstance(mode, Asking):
        return answer({"error": "this gateway spends nothing: it asks no real provider"}, 404)
    try:
        return answer(mode.purse.budget.bill())
    except LedgerError as error:
        return answer({"error": str(error)}, 503)


async def _recordings(request: Request) -> Response:
    mode = request.app.state.mode
    return answer({"unused": [] if mode is None else mode.unused()})


async def _faults(request: Request) -> Response:
    return answer({"faults": _namespace(request).faults.to_json()})


def _acting(act: Act) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that changes something; what it cannot read is refused with a sentence."""

    async def serve(request: Request) -> Response:
        data = await request.body()
        try:
            given = from_bytes(data) if data else {}
            return answer(act(_namespace(request), given))
        except (ScriptError, ValueError, RecursionError) as error:
            return answer({"error": str(error)}, 400)

    return serve


def _add_script(namespace: Namespace, given: Any) -> Any:
    script = read_script(given, name=namespace.scripts.next_name())
    namespace.scripts.add(script)
    return {"name": script.name}


def _arm(namespace: Namespace, given: Any) -> Any:
    keys = {"fault", "unit", "times", "path", "key", "model"}
    if not isinstance(given, dict) or set(given) - keys:
        raise ValueError(f"a fault is an object with {', '.join(sorted(keys))}")
    spec = parse_exactly(str(given.get("fault", "fail-once")))
    if spec is None:
        raise ValueError(
            f"{given.get('fault')!r} is no fault; it is made of fail-once, fail-N, always-fail, "
            "http429, cut, eof, slow, slow-5s, and surface, attempt or call, joined by hyphens"
        )
    unit, times = given.get("unit", spec.unit), given.get("times", spec.times)
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is no unit; known: {', '.join(UNITS)}")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ValueError("`times` is a whole number from 1")
    patterns = {name: str(given[name]) for name in ("path", "key", "model") if name in given}
    identity = namespace.next_id("armed-")
    armed = ArmedFault(identity, replace(spec, unit=unit, times=times), **patterns)
    namespace.faults.armed.append(armed)
    return {"id": identity}


def _signal(namespace: Namespace, given: Any) -> Any:
    namespace.scripts.signals.add(_name_in(given))
    return {"status": "ok"}


def _release(namespace: Namespace, given: Any) -> Any:
    namespace.scripts.hold(_name_in(given)).set()
    return {"status": "ok"}


def _clock(namespace: Namespace, given: Any) -> Any:
    seconds = given.get("advance") if isinstance(given, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise ValueError("`advance` is a whole number of seconds")
    namespace.clock_offset += seconds
    return {"now": namespace.now}


def _budget(namespace: Namespace, given: Any) -> Any:
    usd = given.get("usd") if isinstance(given, dict) else None
    try:
        limit = Decimal(str(usd))
    except InvalidOperation:
        limit = Decimal(-1)
    if not limit.is_finite() or limit < 0:
        raise ValueError("`usd` is a number of US dollars")
    namespace.budget_usd = limit
    return {"usd": str(limit)}


def _name_in(given: Any) -> str:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name:
        raise ValueError("`name` is missing")
    return name


def control_routes() -> list[Route]:
    """The routes of the control API."""
    return [
        Route("/namespaces", _names),
        Route("/journal", _whole_journal),
        Route("/t/{namespace}/journal", _journal),
        Route("/t/{namespace}/verdict", _verdict),
        Route("/t/{namespace}/reset", _reset, methods=["POST"]),
        Route("/t/{namespace}/scripts", _scripts),
        Route("/t/{namespace}/scripts", _acting(_add_script), methods=["POST"]),
        Route("/t/{namespace}/faults", _faults),
        Route("/t/{namespace}/faults", _acting(_arm), methods=["POST"]),
        Route("/t/{namespace}/signals", _acting(_signal), methods=["POST"]),
        Route("/t/{namespace}/releases", _acting(_release), methods=["POST"]),
        Route("/bill", _bill),
        Route("/recordings", _recordings),
        Route("/t/{namespace}/budget", _acting(_budget), methods=["POST"]),
        Route("/t/{namespace}/clock", _acting(_clock), methods=["POST"]),
    ]
