"""Rules of families of models: a table, and over it one of the user's.

The table says where it comes from. A model that is in neither has no rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.yaml_files import parse_value, read_fields

_VARIANT = re.compile(r"-(\d{4}-\d\d-\d\d|\d{8}|latest|(ns|fail|always-fail)-.+)")
"""What may follow a model's name: a date, `latest`, a namespace, a fault."""


@dataclass(frozen=True)
class Rules:
    """What a family of models takes and refuses; the table explains each.

    Attributes:
        renamed: Other names of parameters.
        unsupported: Parameters that are always refused.
        only: Parameters that are refused with any other value.
        efforts: Reasoning efforts; none for a model that does not reason, None for any.
        caches: Where prompts are cached: at `steps` of tokens or at `breakpoints`.
        context: Most tokens of request and answer.
        max_output: Most tokens of an answer.
        dimensions: Length of an embedding.
        shortens: Whether an embedding can be shorter.
        max_input: Most tokens of a text to be embedded.
        thinking: Ways in which the model thinks on request; None for any.
        budgets: Least and most tokens that it may think for.
        tools_with_json: Whether functions go with an answer that must be JSON.
        signs_calls: Whether its function calls must come back with their signatures.
        thinks_unasked: Whether it thinks if the request says nothing.
        hides_thinking: Whether it hides its thoughts if the request says nothing.
        deprecated: Parameters of Messages that are refused with any other value than 1.
        one_of: Two parameters of Messages that exclude each other.
        prefills: Whether a request may end with the beginning of the answer.
    """

    renamed: Mapping[str, str] = field(default_factory=dict)
    unsupported: tuple[str, ...] = ()
    only: Mapping[str, float] = field(default_factory=dict)
    efforts: tuple[str, ...] | None = None
    caches: str = "steps"
    context: int | None = None
    max_output: int | None = None
    dimensions: int | None = None
    shortens: bool = True
    max_input: int | None = None
    thinking: tuple[str, ...] | None = None
    budgets: tuple[int, int] | None = None
    tools_with_json: bool = True
    signs_calls: bool = False
    thinks_unasked: bool = False
    hides_thinking: bool = False
    deprecated: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    prefills: bool = True


NO_RULES = Rules()
MOST_KNOWN = 1000
"""Names whose rules are remembered; to find them takes a while."""


@dataclass(frozen=True)
class RuleTable:
    """Rules by the name of a model."""

    models: Mapping[str, Rules] = field(default_factory=dict)
    _known: dict[str, Rules] = field(default_factory=dict, repr=False, compare=False)

    def of(self, model: str) -> Rules:
        """The rules of a model, of a dated version of it, or of one with a fault in its name."""
        found = self._known.get(model)
        if found is None:
            found = self._find(model)
            if len(self._known) < MOST_KNOWN:
                self._known[model] = found
        return found

    def _find(self, model: str) -> Rules:
        found = self.models.get(model)
        if found is not None:
            return found
        for match in _VARIANT.finditer(model):
            found = self.models.get(model[: match.start()])
            if found is not None:
                return found
        return NO_RULES


def load_rules(own: Path | None = None) -> RuleTable:
    """The rules that come with the gateway, and over them those of the user.

    Args:
        own: YAML file of the same form.

    Raises:
        ScriptError: If the file is not what it should be, with file and line.
    """
    given = files("stackproof_gateway").joinpath("model_rules.yaml").read_text()
    families = _families(Fields(parse_value(given, "model_rules.yaml"), (), {}, "model_rules.yaml"))
    mine = _families(read_fields(own)) if own else {}
    models: dict[str, Rules] = {}
    for names, rules in [*({**families, **mine}).values(), *mine.values()]:
        models.update(dict.fromkeys(names, rules))
    return RuleTable(models)


def _families(fields: Fields) -> dict[str, tuple[list[str], Rules]]:
    families = fields.below("families")
    fields.finish()
    return {name: _family(families.below(name)) for name in families}


def _family(fields: Fields) -> tuple[list[str], Rules]:
    if (
        fields.take("checked", date, "the day on which the rules were checked, as 2026-11-26")
        is None
    ):
        raise fields.error("`checked` is missing: the day on which the rules were checked")
    names = _words(fields, "models")
    if not names:
        raise fields.error("`models` is missing: the names of the models")
    efforts = _words(fields, "efforts")
    thinking = _words(fields, "thinking")
    rules = Rules(
        renamed=_values(fields, "renamed", str, "other names of parameters"),
        unsupported=tuple(_words(fields, "unsupported") or ()),
        only=_values(fields, "only", (int, float), "numbers by parameter"),
        efforts=None if efforts is None else tuple(efforts),
        caches=_choice(fields, "caches", ("steps", "breakpoints")),
        context=fields.count("context"),
        max_output=fields.count("max_output"),
        dimensions=fields.count("dimensions"),
        shortens=fields.take("shortens", bool, "true or false") is not False,
        max_input=fields.count("max_input"),
        thinking=None if thinking is None else tuple(thinking),
        budgets=_budgets(fields),
        tools_with_json=fields.take("tools_with_json", bool, "true or false") is not False,
        signs_calls=fields.take("signs_calls", bool, "true or false") is True,
        thinks_unasked=fields.take("thinks_unasked", bool, "true or false") is True,
        hides_thinking=fields.take("hides_thinking", bool, "true or false") is True,
        deprecated=tuple(_words(fields, "deprecated") or ()),
        one_of=tuple(_words(fields, "one_of") or ()),
        prefills=fields.take("prefills", bool, "true or false") is not False,
    )
    fields.finish()
    return names, rules


def _budgets(fields: Fields) -> tuple[int, int] | None:
    given = fields.take("budgets", list, "two whole numbers")
    if given is None:
        return None
    if len(given) != 2 or not all(type(number) is int for number in given):  # noqa: PLR2004 - both ends
        raise fields.error(f"expected two whole numbers, but got {given!r}", "budgets")
    return given[0], given[1]


def _words(fields: Fields, key: str) -> list[str] | None:
    words: list[str] | None = fields.take(key, list, "a list of words")
    if not all(isinstance(word, str) for word in words or ()):
        raise fields.error(f"expected a list of words, but got {words!r}", key)
    return words


def _choice(fields: Fields, key: str, words: tuple[str, ...]) -> str:
    """One of some words; the first where nothing is said."""
    word = fields.take(key, str, "a word")
    if word is not None and word not in words:
        raise fields.error(f"expected one of {', '.join(words)}, but got {word!r}", key)
    return word or words[0]


def _values(
    fields: Fields, key: str, kinds: type | tuple[type, ...], wanted: str
) -> dict[str, Any]:
    values = fields.below(key)
    found = {name: values.take(name, kinds, wanted) for name in values}
    for name, value in found.items():
        if value is None:
            raise values.error(f"expected {wanted}, but got nothing", name)
    return found
