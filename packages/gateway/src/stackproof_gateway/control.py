"""The control API: what tests ask and tell the gateway, namespace by namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stackproof_gateway.encoding import from_bytes, to_bytes
from stackproof_gateway.faults import UNITS, WORDS, ArmedFault, parse_exactly
from stackproof_gateway.leases import HeldLease, Note, UnknownLeaseError
from stackproof_gateway.namespaces import Namespace
from stackproof_gateway.provider.budget import LedgerError
from stackproof_gateway.provider.serving import Asking
from stackproof_gateway.script_reading import read_script
from stackproof_gateway.strict_fields import ScriptError
from stackproof_gateway.verdict import verdicts

Ask = Callable[[Request], Awaitable[Response]]
Act = Callable[[Namespace, Any, Note], Any]
"""Changes a namespace as it is told, and notes what undoes the change."""


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(to_bytes(value), status, media_type="application/json")


def _namespace(request: Request) -> Namespace:
    found: Namespace = request.app.state.namespaces.get(request.path_params["namespace"])
    return found


def _masked(ask: Ask) -> Ask:
    """An endpoint whose answer shows no secret that a client has sent, wherever it stands."""

    async def serve(request: Request) -> Response:
        response = await ask(request)
        if type(response) is not Response:
            return response  # a lease, which says nothing
        shown = request.app.state.hiding.hide(bytes(response.body))
        return Response(shown, response.status_code, media_type=response.media_type)

    return serve


async def _names(request: Request) -> Response:
    return answer({"namespaces": request.app.state.namespaces.names()})


async def _whole_journal(request: Request) -> Response:
    namespaces = request.app.state.namespaces
    found = {name: namespaces.get(name).journal.to_json() for name in namespaces.names()}
    return answer({"namespaces": found})


async def _journal(request: Request) -> Response:
    journal = _namespace(request).journal
    try:
        since = float(request.query_params.get("since", "0"))
    except ValueError:
        return answer({"error": "since: expected monotonic seconds, as entries have them"}, 400)
    entries = journal.to_json(model=request.query_params.get("model"), since=since)
    return answer({"entries": entries, "dropped": journal.dropped})


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
        return answer(
            {"error": "there is no bill: this gateway does not call the real provider"}, 404
        )
    try:
        return answer(mode.purse.budget.bill())
    except LedgerError as error:
        return answer({"error": str(error)}, 503)


async def _lease(request: Request) -> Response:
    name, leases = request.path_params["lease"], request.app.state.leases
    try:
        leases.begin(name)
    except ValueError as error:
        return answer({"error": str(error)}, 400)
    return HeldLease(leases, name)


async def _recordings(request: Request) -> Response:
    mode = request.app.state.mode
    if mode is None:
        return answer({"unused": [], "served": 0})
    return answer({"unused": mode.unused(), "served": mode.served})


async def _missed(request: Request) -> Response:
    mode = request.app.state.mode
    return answer({"missed": [] if mode is None else mode.missed(_namespace(request))})


async def _faults(request: Request) -> Response:
    return answer({"faults": _namespace(request).faults.to_json()})


def _asking(ask: Ask) -> Ask:
    """An endpoint that tells something of a namespace, unless the asking run's lease has ended."""

    async def serve(request: Request) -> Response:
        try:
            request.app.state.leases.refuse_ended(request.headers.get("x-gateway-lease", ""))
        except ValueError as error:
            return answer({"error": str(error)}, 400)
        return await ask(request)

    return serve


def _acting(act: Act) -> Ask:
    """An endpoint that changes something; what it cannot read is refused with a sentence."""

    async def serve(request: Request) -> Response:
        data = await request.body()
        lease = request.headers.get("x-gateway-lease", "")
        try:
            note = request.app.state.leases.note_of(lease)
            given = from_bytes(data) if data else {}
            return answer(act(_namespace(request), given, note))
        except UnknownLeaseError as error:
            return answer({"error": str(error)}, 409)
        except (ScriptError, ValueError, RecursionError) as error:
            return answer({"error": str(error)}, 400)

    return serve


def _add_script(namespace: Namespace, given: Any, note: Note) -> Any:
    script = read_script(given, name=namespace.scripts.next_name())
    warning = namespace.scripts.add(script, note.lease)
    note(lambda: namespace.scripts.remove(script))
    return {"name": script.name, "warning": warning}


def _arm(namespace: Namespace, given: Any, note: Note) -> Any:
    keys = {"fault", "unit", "times", "path", "key", "model"}
    if not isinstance(given, dict) or set(given) - keys:
        raise ValueError(f"expected an object with the keys {', '.join(sorted(keys))}")
    spec = parse_exactly(str(given.get("fault", "fail-once")))
    if spec is None:
        raise ValueError(f"{given.get('fault')!r} is not a fault; {WORDS}")
    unit, times = given.get("unit", spec.unit), given.get("times", spec.times)
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is not a unit; known: {', '.join(UNITS)}")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise ValueError("`times` must be a whole number from 1")
    patterns = {name: str(given[name]) for name in ("path", "key", "model") if name in given}
    identity = namespace.next_id("armed-")
    armed = ArmedFault(identity, replace(spec, unit=unit, times=times), **patterns)
    namespace.faults.armed.append(armed)
    note(lambda: namespace.faults.disarm(armed))
    return {"id": identity}


def _signal(namespace: Namespace, given: Any, note: Note) -> Any:
    name = _name_in(given)
    if name not in namespace.scripts.signals:
        namespace.scripts.signals.add(name)
        note(lambda: namespace.scripts.signals.discard(name))
    return {"status": "ok"}


def _release(namespace: Namespace, given: Any, note: Note) -> Any:
    name = _name_in(given)
    namespace.scripts.hold(name).set()
    note(lambda: namespace.scripts.forget_hold(name))
    return {"status": "ok"}


def _indexing(namespace: Namespace, given: Any, note: Note) -> Any:
    reads = given.get("reads") if isinstance(given, dict) else None
    if isinstance(reads, bool) or not isinstance(reads, int) or reads < 0:
        raise ValueError("`reads` must be a whole number from 0")
    before, namespace.shelf.slow_reads = namespace.shelf.slow_reads, reads
    note(lambda: setattr(namespace.shelf, "slow_reads", before))
    return {"reads": reads}


def _clock(namespace: Namespace, given: Any, note: Note) -> Any:
    seconds = given.get("advance") if isinstance(given, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        raise ValueError("`advance` must be a whole number of seconds")
    namespace.move_clock(seconds)
    note(lambda: namespace.move_clock(-seconds))
    return {"now": namespace.now}


def _budget(namespace: Namespace, given: Any, note: Note) -> Any:
    usd = given.get("usd") if isinstance(given, dict) else None
    try:
        limit = Decimal(str(usd))
    except InvalidOperation:
        limit = Decimal(-1)
    if not limit.is_finite() or limit < 0:
        raise ValueError("`usd` must be a number of US dollars")
    before = namespace.budget_usd
    namespace.limit(limit)
    note(lambda: namespace.limit(before))
    return {"usd": str(limit)}


def _name_in(given: Any) -> str:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name:
        raise ValueError("`name` is missing")
    return name


def control_routes() -> list[Route]:
    """The routes of the control API."""
    routes = [
        Route("/namespaces", _names),
        Route("/journal", _whole_journal),
        Route("/t/{namespace}/journal", _asking(_journal)),
        Route("/t/{namespace}/verdict", _asking(_verdict)),
        Route("/t/{namespace}/reset", _reset, methods=["POST"]),
        Route("/t/{namespace}/scripts", _asking(_scripts)),
        Route("/t/{namespace}/scripts", _acting(_add_script), methods=["POST"]),
        Route("/t/{namespace}/faults", _asking(_faults)),
        Route("/t/{namespace}/faults", _acting(_arm), methods=["POST"]),
        Route("/t/{namespace}/signals", _acting(_signal), methods=["POST"]),
        Route("/t/{namespace}/releases", _acting(_release), methods=["POST"]),
        Route("/leases/{lease}", _lease),
        Route("/bill", _bill),
        Route("/recordings", _recordings),
        Route("/t/{namespace}/recordings", _asking(_missed)),
        Route("/t/{namespace}/budget", _acting(_budget), methods=["POST"]),
        Route("/t/{namespace}/indexing", _acting(_indexing), methods=["POST"]),
        Route("/t/{namespace}/clock", _acting(_clock), methods=["POST"]),
    ]
    return [
        Route(route.path, _masked(route.endpoint), methods=sorted(route.methods or ()))
        for route in routes
    ]
