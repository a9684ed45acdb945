"""Namespaces: tests that share a gateway never meet, since all state belongs to one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from stackproof_gateway.faults import FaultSpec, FaultState, of_model, parse_exactly
from stackproof_gateway.journal import Journal
from stackproof_gateway.prompt_history import PromptHistory
from stackproof_gateway.provider.correspondence import Replayed
from stackproof_gateway.scripts import Script, ScriptBook
from stackproof_gateway.shelf import Shelf

DEFAULT = "default"
KEY_PREFIX = "sk-e2e-"
FAULT_MARK = "--"
FIRST_SECOND = 1_750_000_000
"""Where each namespace's clock begins (`created` of an answer), so that answers are stable."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,120}")
_RUNS_OWN = re.compile(r"-[0-9a-f]{8}$")
_NONCE = re.compile(r"(?:^|-)ns-(?P<name>[A-Za-z0-9_.-]{1,120})$")


@dataclass
class Namespace:
    """All state of one namespace.

    Attributes:
        name: Its name.
        journal: What was asked in it.
        faults: What is to fail, and how often it has.
        scripts: Its scripted replies, what they have been used for, and its signals and holds.
        shelf: Its files, vector stores and stored responses.
        prompts: Beginnings of the prompts that were sent in it.
        numbers: How many ids of each kind have been given.
        clock_offset: Seconds that its clock was moved on by.
        replayed: What was replayed in it, and which values have changed.
        budget_usd: What it may spend at the real provider; None for no limit of its own.
    """

    name: str
    journal: Journal = field(default_factory=Journal)
    faults: FaultState = field(default_factory=FaultState)
    scripts: ScriptBook = field(default_factory=ScriptBook)
    shelf: Shelf = field(default_factory=Shelf)
    prompts: PromptHistory = field(default_factory=PromptHistory)
    numbers: Counter[str] = field(default_factory=Counter)
    clock_offset: int = 0
    replayed: Replayed = field(default_factory=Replayed)
    budget_usd: Decimal | None = None

    def next_call(self) -> int:
        """Number of a new call, from 1."""
        self.journal.count += 1
        return self.journal.count

    def next_id(self, prefix: str) -> str:
        """A new id of a kind, such as `file-00000001`."""
        self.numbers[prefix] += 1
        return f"{prefix}{self.numbers[prefix]:08d}"

    def move_clock(self, seconds: int) -> None:
        """Move the clock on, or back."""
        self.clock_offset += seconds

    def limit(self, usd: Decimal | None) -> None:
        """Say what it may spend; None for no limit of its own."""
        self.budget_usd = usd

    @property
    def now(self) -> int:
        """Seconds of the namespace's clock; each call moves it on by one."""
        return FIRST_SECOND + self.clock_offset + self.journal.count


class Namespaces:
    """Every namespace that was used, made on first use.

    Args:
        scripts: Scripts that each namespace has from the start.
    """

    def __init__(self, scripts: Sequence[Script] = ()) -> None:
        self._known: dict[str, Namespace] = {}
        self._scripts = tuple(scripts)

    def get(self, name: str) -> Namespace:
        """The namespace of a name."""
        known = self._known.get(name)
        if known is None:
            known = Namespace(name, scripts=ScriptBook(self._scripts))
            self._known[name] = known
        return known

    def reset(self, name: str) -> None:
        """Forget everything of a namespace, and let go whoever waits in it."""
        gone = self._known.pop(name, None)
        if gone is not None:
            gone.shelf.take_back()
            gone.scripts.release_all()

    def names(self) -> list[str]:
        """Names of all that were used."""
        return sorted(self._known)


def asker_of(name: str) -> str:
    """A namespace's name without eight hexadecimal digits at its end, which are new in each run."""
    return _RUNS_OWN.sub("", name)


def namespace_of(
    path_name: str | None, key: str = "", test_id: str = "", model: str = ""
) -> str | None:
    """Which namespace a request belongs to; None if it does not say.

    In this order: `/t/<name>/` in its path, an API key `sk-e2e-<name>`, the header X-Test-Id, the
    nonce of the model's name: what follows fault words, or `-ns-<name>` at its end. The name of the
    model is what survives queues and databases between the test and the call.

    Args:
        path_name: The name in the path, if there is one.
        key: The request's API key.
        test_id: The header X-Test-Id.
        model: The model that is asked for.
    """
    for name in (path_name, _split_key(key)[0], test_id, model and nonce_of(model)):
        if name and _NAME.fullmatch(name):
            return name
    return None


def nonce_of(model: str) -> str:
    """The namespace that the name of a model ends with; empty if there is none."""
    named = _NONCE.search(model)
    if named:
        return named["name"]
    spec = of_model(model)
    return spec.nonce if spec else ""


def fault_of_key(key: str) -> FaultSpec | None:
    """The fault that an API key `sk-e2e-<name>--<fault words>` asks for."""
    return _split_key(key)[1]


def _split_key(key: str) -> tuple[str | None, FaultSpec | None]:
    if not key.startswith(KEY_PREFIX):
        return None, None
    name = key.removeprefix(KEY_PREFIX)
    front, mark, words = name.rpartition(FAULT_MARK)
    spec = parse_exactly(words) if mark else None
    return (front, spec) if spec else (name, None)


def api_key(headers: Mapping[str, str], further: Iterable[str] = ()) -> str:
    """The API key of a request; empty if it has none.

    Args:
        headers: Its headers, with names in small letters.
        further: Headers that may hold it, beside the usual ones.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    names = ("x-api-key", "x-goog-api-key", *further)
    return next(filter(None, (headers.get(name, "").strip() for name in names)), "")
