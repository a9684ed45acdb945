"""An answer in the form of a server that is compatible with OpenAI."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from stackproof_gateway.apis import OPENAI, envelope_of
from stackproof_gateway.encoding import Closing, event, from_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.server_rules import Dress, Server

_PREFIX = b"data: "


def dressed(value: dict[str, Any], dress: Dress) -> dict[str, Any]:
    """A chat answer, or an event of its stream, in a server's form.

    Args:
        value: OpenAI's form.
        dress: What this server has beside it.
    """
    found = {**dress.adds, **value, **dress.sets}
    found["choices"] = [_choice(choice, dress) for choice in value["choices"]]
    usage = value.get("usage")
    if usage:
        kept = dress.usage or usage
        found["usage"] = {name: usage[name] for name in kept if name in usage}
        found["usage"].update(dress.in_usage)
    return found


def _choice(choice: dict[str, Any], dress: Dress) -> dict[str, Any]:
    reason = choice.get("finish_reason")
    added = {name: reason if item == "$finish_reason" else item
             for name, item in dress.choice.items()}  # fmt: skip
    found = {**_without(choice, dress.omits.get("choice", ())), **added}
    if "message" in found:
        message = _without(found["message"], dress.omits.get("message", ()))
        found["message"] = {**dress.message, **message}
    return found


def _without(value: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {
        name: item for name, item in value.items() if item is not None or name not in set(names)
    }


def dressed_events(events: Iterable[bytes], dress: Dress) -> Iterator[bytes]:
    """The events of a chat stream in a server's form.

    Args:
        events: OpenAI's events.
        dress: What this server has beside them.
    """
    if dress.first is not None:
        yield event(dress.first)
    for given in events:
        text = given.removeprefix(_PREFIX).strip()
        if text == b"[DONE]":
            yield given
            continue
        made = event(dressed(from_bytes(text), dress))
        yield Closing(made) if isinstance(given, Closing) else made


def server_envelope(error: ProviderError, server: Server, api: str, number: int = 0) -> Any:
    """An error in a server's form.

    Args:
        error: The error.
        server: The server of the dialect.
        api: Whose API the request speaks; only OpenAI's has dialects.
        number: Number of the request.
    """
    if server.is_openai or api != OPENAI:
        return envelope_of(error, api, number)
    rules, message = server.errors, error.message
    if error.status in rules.by_status:
        return filled(rules.by_status[error.status], {"$message": message})
    envelope = dict(error.envelope["error"])
    if rules.code == "status":
        envelope["code"] = error.status
    if rules.types:
        envelope["type"] = rules.types.get(error.status, rules.types["other"])
    return {"error": {name: envelope[name] for name in rules.fields or envelope}}


def filled(form: Any, values: Mapping[str, Any]) -> Any:
    """A form of the table with values at its placeholders."""
    if isinstance(form, Mapping):
        return {name: filled(item, values) for name, item in form.items()}
    if isinstance(form, list):
        return [filled(item, values) for item in form]
    return values.get(form, form) if isinstance(form, str) else form
