"""Models, and the lists of objects that the API answers with."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.errors import ProviderError, bad_value
from stackproof_gateway.namespaces import FIRST_SECOND
from stackproof_gateway.requests import whole_number
from stackproof_gateway.server_answers import filled

MODELS = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small")
CLAUDES = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-sonnet-4-6",
           "claude-haiku-4-5")  # fmt: skip
"""Models that Anthropic's list shows, the newest first."""
MOST_ITEMS = 10_000
MOST_OF_ANTHROPIC = 1000


def json_response(value: Any) -> Response:
    """A value as an answer."""
    return Response(to_bytes(value), media_type="application/json")


def made(identity: str, kind: str, created: int, **further: Any) -> dict[str, Any]:
    """An object as the API shows it."""
    return {"id": identity, "object": kind, "created_at": created, **further}


def page(
    call: Call, items: Iterable[dict[str, Any]], order: str = "desc", most: int = MOST_ITEMS
) -> Response:
    """Objects as one page: in an order, after `after`, `limit` of them.

    Args:
        call: The call, whose query says which.
        items: The objects, oldest first.
        order: The order where the query has none: `asc` for the oldest first, or `desc`.
        most: The highest `limit`.

    Raises:
        ProviderError: If `limit` is no number in its range.
    """
    query = call.request.query_params
    found = list(items)
    if query.get("order", order) != "asc":
        found.reverse()
    after = query.get("after")
    if after:
        ids = [item["id"] for item in found]
        found = found[ids.index(after) + 1 :] if after in ids else []
    limit = whole_number(query.get("limit") or "20")
    if limit is None or not 1 <= limit <= most:
        raise bad_value("limit", f"Invalid 'limit': expected a value from 1 to {most}.")
    shown = found[:limit]
    return json_response({
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(found) > limit,
    })  # fmt: skip


def rfc3339(seconds: int | None) -> str | None:
    """A time as Anthropic writes it; None where there is none."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def anthropic_page(call: Call, items: list[dict[str, Any]]) -> Response:
    """Objects as one page of Anthropic's: `limit` of them after `after_id` or before `before_id`.

    Newer lists go on with `page`, which is the `next_page` of the answer before.

    Raises:
        ProviderError: If `limit` is no number from 1 to 1000.
    """
    query = call.request.query_params
    limit = whole_number(query.get("limit", "20"))
    if limit is None or not 1 <= limit <= MOST_OF_ANTHROPIC:
        message = f"limit: Input should be a number from 1 to {MOST_OF_ANTHROPIC}"
        raise ProviderError(400, message, param="limit")
    ids = [item["id"] for item in items]
    after, before = query.get("page", query.get("after_id")), query.get("before_id")
    if before in ids:
        found = items[: ids.index(before)]
        shown = found[-limit:]
    else:
        found = items[ids.index(after) + 1 :] if after in ids else items
        shown = found[:limit]
    return json_response({
        "data": shown,
        "has_more": len(found) > len(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "next_page": shown[-1]["id"] if len(found) > len(shown) else None,
    })  # fmt: skip


def deleted(identity: str, kind: str) -> Response:
    """What the API says of an object that was deleted."""
    return json_response({"id": identity, "object": f"{kind}.deleted", "deleted": True})


def _model(call: Call, name: str) -> dict[str, Any]:
    if call.anthropic:
        rules = call.request.app.state.model_rules.of(name)
        return {
            "type": "model", "id": name, "display_name": name, "created_at": rfc3339(FIRST_SECOND),
            "lifecycle": "active", "deprecated_at": None, "retires_at": None, "line": None,
            "max_input_tokens": rules.context, "max_tokens": rules.max_output,
            "capabilities": None,
        }  # fmt: skip
    form = call.server.models.get("form")
    if form is not None:
        shown: dict[str, Any] = filled(form, {"$id": name, "$created": FIRST_SECOND})
        return shown
    return {"id": name, "object": "model", "created": FIRST_SECOND, "owned_by": "stackproof"}


async def models(call: Call) -> Response:
    """The list of models; any other name exists as well."""
    names = CLAUDES if call.anthropic else call.server.models.get("names", MODELS)
    data = [_model(call, name) for name in names]
    if call.anthropic:
        return anthropic_page(call, data)
    listed = call.server.models.get("listed", {"object": "list"})
    return json_response({**listed, "data": data})


async def one_model(call: Call) -> Response:
    """One model, whatever its name, unless its name asks for a fault or was deleted."""
    call.entry.model = call.request.path_params["model"]
    call.check_model()
    return json_response(_model(call, call.entry.model))


async def delete_model(call: Call) -> Response:
    """Delete a fine-tuned model, which no call can use then; others are the provider's.

    No report of the provider confirms the text for others, but its status and kind.
    """
    name = call.request.path_params["model"]
    call.entry.model = name
    await call.fail_on_purpose()
    call.check_model()
    if not name.startswith("ft:"):
        message = f"The model '{name}' is not a fine-tuned model of yours and can't be deleted."
        raise ProviderError(403, message, param="model")
    call.namespace.shelf.deleted_models.add(name)
    return json_response({"id": name, "object": "model", "deleted": True})
