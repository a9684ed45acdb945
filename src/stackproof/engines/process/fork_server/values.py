"""What the modules of a process hold, as one number for each attribute: do two processes differ?

Texts, numbers, paths, patterns, containers of them, attributes of classes and objects, defaults of
functions; not what closures and libraries of C keep, nor the order of sets.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Mapping
from pathlib import PurePath
from types import FunctionType, ModuleType

DEEPEST = 6
"""How far objects within objects are looked into."""

Sums = Mapping[str, Mapping[str, int]]
"""Module → attribute → a number that says what it holds."""

OWN_MODULES = ("stackproof", "stackproof_redaction")

SET_BACK: Mapping[str, frozenset[str]] = {
    "logging": frozenset({"_startTime"}),
    "multiprocessing.process": frozenset({"ORIGINAL_DIR"}),
    "os": frozenset({"environ", "environb"}),
    "posix": frozenset({"environ"}),
    "site": frozenset({"USER_BASE", "USER_SITE"}),
    "sysconfig": frozenset({"_CONFIG_VARS", "_CONFIG_VARS_INITIALIZED"}),
    "tempfile": frozenset({"tempdir"}),
}
"""What is set back after each fork."""

_OF_THE_INTERPRETER = frozenset(
    {
        *("__main__", "builtins", "gc", "sys", "importlib", "zipimport"),
        *("_frozen_importlib", "_frozen_importlib_external"),
    }
)
_OF_MODULES = frozenset({"__builtins__", "__cached__", "__loader__", "__spec__"})
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})

_BY_CHANCE = re.compile(r"\d{12,}|[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}|0x[0-9a-f]+")
"""Addresses in memory and UUIDs: they differ in any two processes."""


def sums() -> dict[str, dict[str, int]]:
    """Those of all modules of this process, in the order in which they were imported."""
    seen: dict[int, object] = {}  # the objects stay alive, so that no number is had twice
    found = {}
    for name, module in list(sys.modules.items()):
        if name not in _OF_THE_INTERPRETER and name.partition(".")[0] not in OWN_MODULES:
            left_out = SET_BACK.get(name, frozenset()) | _OF_MODULES
            held = [*getattr(module, "__dict__", {}).items()]  # there are others than modules
            found[name] = {key: _sum(one, name, seen) for key, one in held if key not in left_out}
    return found


def _sum(value: object, module: str, seen: dict[int, object]) -> int:
    texts: list[str] = []
    _tell(value, module, seen, 0, texts)
    return zlib.crc32(_BY_CHANCE.sub("#", " ".join(texts)).encode(errors="replace"))


def differing(one: Sums, other: Sums) -> dict[str, str]:
    """Modules that are in both, and the first attribute in which each differs.

    Args:
        one: Of one process.
        other: Of another one.
    """
    found = {}
    for module in one.keys() & other.keys():
        ours, theirs = one[module], other[module]
        names = [name for name in ours if ours[name] != theirs.get(name)]
        names += [name for name in theirs if name not in ours]
        if names:
            found[module] = min(names)
    return found


def _tell(
    value: object, module: str, seen: dict[int, object], depth: int, texts: list[str]
) -> None:
    """Add what a value is, as texts; each object is told once."""
    kind = type(value)
    if kind in _PLAIN:
        texts.append(repr(value))
        return
    texts.append(kind.__name__)
    if id(value) in seen or depth > DEEPEST:
        return
    seen[id(value)] = value
    if isinstance(value, str | PurePath):
        texts.append(str(value))
    elif isinstance(value, re.Pattern):
        texts.append(repr(value.pattern))
    else:
        is_set = kind in {set, frozenset}
        told: list[str] = [] if is_set else texts
        for part in [*value] if is_set else _parts(value, module):  # type: ignore[misc]
            _tell(part, module, seen, depth + 1, told)
        texts += sorted(told) if is_set else ()


def _parts(value: object, module: str) -> list[object]:
    """What a value is made of."""
    if type(value) in {list, tuple}:
        return [*value]  # type: ignore[misc] # just looked at
    if type(value) is dict:
        return [part for item in value.items() for part in item]
    is_own = getattr(value, "__module__", module) == module
    if isinstance(value, FunctionType):
        return [value.__defaults__, value.__kwdefaults__] if is_own else []
    if isinstance(value, ModuleType) or (isinstance(value, type) and not is_own):
        return []
    try:
        held = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    return [part for key, held in [*held.items()] if key not in _OF_MODULES for part in (key, held)]
