"""What there is to automate with: packs, actions, triggers, sensors, rules, keys."""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from automation import packs
from automation.api.replies import body_of, data, refusal, shown, user_id, wanted
from automation.database import transaction
from automation.inquiries import UnfitError, check
from automation.models import Action, Key, Pack, Rule, Sensor, Trigger
from automation.records import EVENTS, tell
from automation.security import encrypt
from automation.sensor.timers import INTERVAL, SHORTEST

KINDS = {"packs": Pack, "actions": Action, "triggers": Trigger, "sensors": Sensor, "rules": Rule}
REF = {"type": "string", "pattern": r"^[a-z0-9_]+(\.[a-z0-9_]+)+$"}
OBJECT = {"type": "object"}
RULE = wanted(
    {"ref": REF, "trigger_ref": REF, "action_ref": REF},
    conditions=OBJECT,
    action_params=OBJECT,
    trigger_params=OBJECT,
    enabled={"type": "boolean"},
)
TIMER_PARAMS = wanted({INTERVAL: {"type": "number", "minimum": SHORTEST}})
KEY = wanted({"ref": REF, "value": {"type": "string", "minLength": 1, "maxLength": 10_000}})


async def list_all(table: Any, request: Request) -> Response:
    user_id(request)
    async with transaction() as session:
        rows = await session.scalars(select(table).order_by(table.ref))
        return data([shown(row) for row in rows.all()])


async def register_pack(request: Request) -> Response:
    """Take a pack as a zip."""
    user_id(request)
    try:
        content = packs.read(await request.body())
    except packs.PackError as error:
        raise refusal(422, str(error)) from error
    async with transaction() as session:
        await packs.register(session, content)
        tell(session, EVENTS, "configuration.changed")
    told = {name: content.pack[name] for name in ("ref", "version", "dependencies", "digest")}
    return data({**told, "actions": [action["ref"] for action in content.actions]}, 201)


async def create_rule(request: Request) -> Response:
    user_id(request)
    told = await body_of(request, RULE)
    if told["trigger_ref"] == packs.TIMER:
        _check_timer(told.get("trigger_params", {}))
    rule = Rule(
        ref=told["ref"],
        pack_ref=told["ref"].split(".")[0],
        trigger_ref=told["trigger_ref"],
        action_ref=told["action_ref"],
        conditions=told.get("conditions", {}),
        action_params=told.get("action_params", {}),
        trigger_params=told.get("trigger_params", {}),
        enabled=told.get("enabled", True),
    )
    try:
        async with transaction() as session:
            session.add(rule)
            tell(session, EVENTS, "configuration.changed")
    except IntegrityError as error:
        message = f"{told['ref']} is there, or its pack, trigger or action is not"
        raise refusal(409, message) from error
    return data(shown(rule), 201)


def _check_timer(params: dict[str, Any]) -> None:
    try:
        check(params, TIMER_PARAMS)
    except UnfitError as error:
        raise refusal(422, f"trigger_params: {error}") from error


async def switch(table: Any, enabled: bool, request: Request) -> Response:
    """Enable or disable a rule or a sensor."""
    user_id(request)
    async with transaction() as session:
        row = await session.get(table, request.path_params["ref"], with_for_update=True)
        if row is None:
            raise refusal(404, f"there is no {request.path_params['ref']}")
        row.enabled = enabled
        tell(session, EVENTS, "configuration.changed")
        return data(shown(row))


async def create_key(request: Request) -> Response:
    """Keep a secret; nobody but an action's standard input is ever told it."""
    user_id(request)
    told = await body_of(request, KEY)
    encrypted = encrypt(told["value"])
    async with transaction() as session:
        await session.execute(
            insert(Key)
            .values(ref=told["ref"], encrypted=encrypted)
            .on_conflict_do_update(index_elements=[Key.ref], set_={"encrypted": encrypted})
        )
    return data({"ref": told["ref"]}, 201)


async def list_keys(request: Request) -> Response:
    user_id(request)
    async with transaction() as session:
        refs = await session.scalars(select(Key.ref).order_by(Key.ref))
        return data([{"ref": ref} for ref in refs.all()])


ROUTES = [
    Route("/api/v1/packs/register", register_pack, methods=["POST"]),
    Route("/api/v1/rules", create_rule, methods=["POST"]),
    Route("/api/v1/keys", create_key, methods=["POST"]),
    Route("/api/v1/keys", list_keys),
    *(
        Route(f"/api/v1/{kind}", partial(list_all, table), methods=["GET"])
        for kind, table in KINDS.items()
    ),
    *(
        Route(
            f"/api/v1/{kind}/{{ref}}/{verb}",
            partial(switch, KINDS[kind], verb == "enable"),
            methods=["POST"],
        )
        for kind in ("rules", "sensors")
        for verb in ("enable", "disable")
    ),
]
