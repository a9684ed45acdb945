"""What is known of a program's imports, kept in the cache for other processes and for `doctor`.

Several processes may write at a time: each file is replaced as a whole, and names that two of them
have learned are both kept, or learned again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stackproof.engines.cache import locked
from stackproof.engines.process.fork_server.entry import Entry
from stackproof.errors import StackproofError

FOLDER = "preload"


@dataclass(frozen=True)
class Approved:
    """What may be imported ahead.

    Attributes:
        modules: In the order in which the program imports them.
        left_out: Module → why it is not.
        cold: Why nothing may; empty if something may.
        examined: All modules that were tried.
        compared: Whether their values were compared in two environments.
    """

    modules: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    cold: str = ""
    examined: tuple[str, ...] = ()
    compared: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of one service of a stack.

    Attributes:
        key: Name of what is kept of its program; empty where nothing is.
        cold: Why it starts anew; empty where it doesn't, or where only `key` tells.
    """

    key: str = ""
    cold: str = ""


def key_of(entry: Entry, environment: Mapping[str, str], chosen: Iterable[str] = ()) -> str:
    """Name of what is kept of a program with its environment.

    Args:
        entry: The program; a virtualenv's path says what is installed.
        environment: What all copies share.
        chosen: Modules that the stack file names.
    """
    variables = sorted(f"{name}={value}" for name, value in environment.items())
    told = [str(entry.python), _installed(entry.python), entry.name, *variables, *chosen]
    return _short(told)


def _installed(python: Path) -> str:
    """What changes when packages of a virtualenv do."""
    folders = sorted((python.parent.parent / "lib").glob("python*/site-packages"))
    return " ".join(str(folder.stat().st_mtime_ns) for folder in folders)


@contextmanager
def finding_out(cache: Path, key: str) -> Iterator[None]:
    """Let no other process find out the same meanwhile, if a lock can be had.

    Args:
        cache: The cache folder.
        key: Name of what is kept of the program.
    """
    with ExitStack() as held:
        with suppress(StackproofError, OSError):
            held.enter_context(locked(cache / FOLDER / key))
        yield


def kept(cache: Path, key: str) -> Approved | None:
    """What was approved earlier; None where nothing was."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        value = _read(cache, key)
        modules, examined = tuple(value["modules"]), tuple(value["examined"])
        told, compared = dict(value["left_out"]), bool(value["compared"])
        return Approved(modules, told, str(value["cold"]), examined, compared)
    return None


def keep(cache: Path, key: str, approved: Approved) -> None:
    """Keep it for other processes, if anything is known and the cache can be written."""
    if approved == Approved():
        return
    _write(cache, key, asdict(approved))


def learned(cache: Path, key: str) -> list[str]:
    """All modules that copies of a program were seen to import, the earliest first."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return [str(name) for name in _read(cache, f"{key}-names")["names"]]
    return []


def learn(cache: Path, key: str, names: Iterable[str]) -> None:
    """Add modules that a copy was seen to import."""
    earlier = learned(cache, key)
    both = list(dict.fromkeys([*earlier, *names]))
    if len(both) > len(earlier):
        _write(cache, f"{key}-names", {"names": both})


def note(cache: Path, stack: str, service: str, known: Known) -> None:
    """Keep what is known of a service.

    Args:
        cache: The cache folder.
        stack: Name of its stack, and the place of its files.
        service: The service.
        known: What is known.
    """
    if known_of(cache, stack, service) != known:
        _write(cache, _short([stack, service]), asdict(known))


def known_of(cache: Path, stack: str, service: str) -> Known | None:
    """What is known of a service; None where it has never been asked for.

    Args:
        cache: As for `note`.
        stack: The same.
        service: The same.
    """
    with suppress(OSError, ValueError, KeyError, TypeError):
        value = _read(cache, _short([stack, service]))
        return Known(str(value["key"]), str(value["cold"]))
    return None


def _short(words: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:24]


def _read(cache: Path, name: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] = json.loads((cache / FOLDER / f"{name}.json").read_text("utf-8"))
    return value


def _write(cache: Path, name: str, value: Mapping[str, Any]) -> None:
    with suppress(OSError):
        folder = cache / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{name}.{os.getpid()}"
        draft.write_text(json.dumps(value), encoding="utf-8")
        draft.rename(folder / f"{name}.json")
