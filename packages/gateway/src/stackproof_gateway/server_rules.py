"""How servers that are compatible with OpenAI differ from it: a table, with the sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.yaml_files import parse_value

DIALECTS = ("openai", "azure", "ollama", "openrouter", "vllm")
TOLERATED = frozenset({"key", "model_rules", "json_word", "tool_history", "schemas", "schema_name"})
"""Checks of OpenAI that a server may not make."""

_SOURCE = "server_rules.yaml"
Form = Mapping[str, Any]


@dataclass(frozen=True)
class Drop:
    """A field that is ignored.

    Attributes:
        field: Its name.
        without: Only where this field is missing or empty.
        beside: Only where this field is there.
        value: Only with this value; None for any.
    """

    field: str
    without: str | None = None
    beside: str | None = None
    value: Any = None

    def fits(self, body: Mapping[str, Any]) -> bool:
        """Whether a request has the field, and it is ignored."""
        if self.field not in body:
            return False
        return (
            (self.value is None or body[self.field] == self.value)
            and (self.without is None or not body.get(self.without))
            and (self.beside is None or body.get(self.beside) is not None)
        )


@dataclass(frozen=True)
class Dress:
    """What answers, or events of a stream, have beside OpenAI's; the table explains each."""

    sets: Form = field(default_factory=dict)
    adds: Form = field(default_factory=dict)
    choice: Form = field(default_factory=dict)
    message: Form = field(default_factory=dict)
    omits: Form = field(default_factory=dict)
    usage: tuple[str, ...] = ()
    in_usage: Form = field(default_factory=dict)
    first: Form | None = None


@dataclass(frozen=True)
class Errors:
    """The form of a server's errors; the table explains each."""

    fields: tuple[str, ...] = ()
    code: str = ""
    types: Mapping[int | str, str] = field(default_factory=dict)
    by_status: Mapping[int, Form] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """What a server does otherwise than OpenAI; the table explains each.

    Attributes:
        name: Its dialect.
    """

    name: str = "openai"
    tolerates: frozenset[str] = frozenset()
    drops: tuple[Drop, ...] = ()
    key_headers: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    constraints: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = ""
    fallbacks: str = ""
    prefixes: tuple[str, ...] = ()
    deployments: bool = False
    models: Form = field(default_factory=dict)
    answer: Dress = Dress()
    chunk: Dress = Dress()
    errors: Errors = Errors()

    @property
    def is_openai(self) -> bool:
        """Whether it is OpenAI itself."""
        return self.name == "openai"


OPENAI = Server()


@cache
def server_of(dialect: str) -> Server:
    """The server of a dialect.

    Args:
        dialect: One of `DIALECTS`.

    Raises:
        ScriptError: If the table that comes with the gateway is broken.
    """
    given = files("stackproof_gateway").joinpath(_SOURCE).read_text("utf-8")
    table = Fields(parse_value(given, _SOURCE), (), {}, _SOURCE).below("dialects")
    return _server(dialect, table.below(dialect))


def _server(name: str, fields: Fields) -> Server:
    if fields.take("checked", date, "a day") is None or not _words(fields, "sources"):
        raise fields.error("`checked` or `sources` is missing")
    _words(fields, "unconfirmed")
    tolerates = frozenset(_words(fields, "tolerates"))
    if tolerates - TOLERATED:
        raise fields.error(f"unknown checks: {', '.join(sorted(tolerates - TOLERATED))}")
    constraints = fields.below("constraints")
    server = Server(
        name,
        tolerates,
        tuple(_drop(drop) for drop in fields.each("drops")),
        _words(fields, "key_headers"),
        frozenset(_words(fields, "known")),
        {kind: _words(constraints, kind) for kind in constraints},
        fields.take("default", str, "a model") or "",
        fields.take("fallbacks", str, "a field") or "",
        _words(fields, "prefixes"),
        fields.take("deployments", bool, "true or false") is True,
        _form(fields, "models"),
        _dress(fields.below("answer")),
        _dress(fields.below("chunk")),
        _errors(fields.below("errors")),
    )
    fields.finish()
    return server


def _drop(fields: Fields) -> Drop:
    name = fields.take("field", str, "a field")
    drop = Drop(
        name,
        fields.take("without", str, "a field"),
        fields.take("with", str, "a field"),
        fields.take("value", (str, list), "a value"),
    )
    fields.finish()
    return drop


def _dress(fields: Fields) -> Dress:
    dress = Dress(
        sets=_form(fields, "sets"),
        adds=_form(fields, "adds"),
        choice=_form(fields, "choice"),
        message=_form(fields, "message"),
        omits=_form(fields, "omits"),
        usage=_words(fields, "usage"),
        in_usage=_form(fields, "in_usage"),
        first=_form(fields, "first") or None,
    )
    fields.finish()
    return dress


def _errors(fields: Fields) -> Errors:
    errors = Errors(
        _words(fields, "fields"),
        fields.take("code", str, "status or text") or "",
        _form(fields, "types"),
        _form(fields, "by_status"),
    )
    fields.finish()
    return errors


def _form(fields: Fields, key: str) -> dict[Any, Any]:
    found: dict[Any, Any] = fields.take(key, dict, "fields") or {}
    return found


def _words(fields: Fields, key: str) -> tuple[str, ...]:
    return tuple(fields.take(key, list, "a list of words") or ())
