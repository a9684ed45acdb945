"""Models, and the lists of objects that the API answers with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from stackproof.gateway.call import Call
from stackproof.gateway.encoding import to_bytes
from stackproof.gateway.errors import bad_value
from stackproof.gateway.namespaces import FIRST_SECOND

MODELS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
MOST_ITEMS = 10_000


def json_response(value: Any) -> Response:
    """A value as an answer."""
    return Response(to_bytes(value), media_type="application/json")


def page(call: Call, items: Iterable[dict[str, Any]]) -> Response:
    """Objects as one page: newest first unless `order=asc`, after `after`, `limit` of them.

    Raises:
        ProviderError: If `limit` is no number in its range.
    """
    query = call.request.query_params
    found = list(items)
    if query.get("order", "desc") != "asc":
        found.reverse()
    after = query.get("after")
    if after:
        ids = [one["id"] for one in found]
        found = found[ids.index(after) + 1 :] if after in ids else []
    given = query.get("limit", "")
    if given and not (given.isdecimal() and len(given) < 6 and 1 <= int(given) <= MOST_ITEMS):  # noqa: PLR2004 - digits
        raise bad_value("limit", f"Invalid 'limit': expected a value from 1 to {MOST_ITEMS}.")
    limit = int(given) if given else 20
    shown = found[:limit]
    return json_response({
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
    })  # fmt: skip


def deleted(identity: str, kind: str) -> Response:
    """What the API says of an object that was deleted."""
    return json_response({"id": identity, "object": f"{kind}.deleted", "deleted": True})


def _model(call: Call, name: str) -> dict[str, Any]:
    if call.anthropic:
        created = datetime.fromtimestamp(FIRST_SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": name, "display_name": name, "created_at": created}
    return {"id": name, "object": "model", "created": FIRST_SECOND, "owned_by": "stackproof"}


async def models(call: Call) -> Response:
    """The list of models; any other name exists as well."""
    data = [_model(call, name) for name in MODELS]
    if call.anthropic:
        ends = {"first_id": MODELS[0], "last_id": MODELS[-1]}
        return json_response({"data": data, "has_more": False, **ends})
    return json_response({"object": "list", "data": data})


async def one_model(call: Call) -> Response:
    """One model, whatever its name, unless its name asks for a fault."""
    call.entry.model = call.request.path_params["model"]
    return json_response(_model(call, call.entry.model))
