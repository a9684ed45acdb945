"""Imports packages ahead, and watches what that does: is a copy of this process still the same?

Sources: the Python documentation of `importlib`; proc(5).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import BuiltinImporter, FrozenImporter, PathFinder
from pathlib import Path

COVERAGE = "COVERAGE_PROCESS_START"
"""What has coverage begin: in a copy, never in the process that it is forked from."""

OF_EACH_COPY = frozenset({"PYTHONPATH", "STACKPROOF_RUN", COVERAGE})
"""Variables that differ from copy to copy; all others of the first copy are compared."""


BY_LIBRARIES = (
    *("LANG", "LC_", "TZ", "LD_", "PYTHON", "MALLOC_", "GLIBC_", "OMP_", "OPENBLAS_", "MKL_"),
    *("SSL_", "OPENSSL_", "GRPC_", "CUDA_", "UV_"),
)
"""Beginnings of variables that libraries read by themselves, unseen."""


class SpiedEnviron(os._Environ):  # type: ignore[type-arg] # noqa: SLF001 - so that it stays the same object
    """`os.environ`, which notes the names that are read from it.

    Attributes:
        read: The names; `*` stands for all of them.
    """

    read: set[str]

    def __getitem__(self, key: str) -> str:
        self._note(key)
        value: str = super().__getitem__(key)
        return value

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)

    def _note(self, key: object) -> None:
        if isinstance(key, str | bytes):  # the standard library asks for both
            self.read.add(os.fsdecode(key))

    def __iter__(self) -> Iterator[str]:
        self.read.add("*")
        return iter(super().__iter__())


_USUAL = (BuiltinImporter, FrozenImporter, PathFinder)


@dataclass
class Preloaded:
    """What importing ahead has done.

    Attributes:
        read: Module that was imported → names of variables that it has read.
        failed: Modules that could not be imported.
        brought: Module → the module of the list whose import has brought it.
        faults: Why a copy of this process would not be the same as a new one, in words.
    """

    read: dict[str, set[str]] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    brought: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def readers(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Modules that have read one of some variables, each with those variables."""
        wanted = set(names)
        found = {}
        for module, read in self.read.items():
            seen = sorted(wanted if "*" in read else read & wanted)
            if seen:
                found[module] = seen
        return found


def preload(
    modules: Sequence[str],
    before: Callable[[], None] = lambda: None,
    after: Callable[[str], None] = lambda _: None,
) -> Preloaded:
    """Import modules in their order, from the interpreter's own folders; what fails is left out.

    Args:
        modules: Their full names.
        before: Called before each.
        after: Called after each, with its name.
    """
    done = Preloaded()
    state = _state()
    gc.disable()  # a fifth of the time goes to it
    with _installed_alone(), _spied() as environ:
        for name in modules:
            if name not in sys.modules:
                before()
                _import(name, environ, done)
                after(name)
    gc.enable()
    gc.collect()
    gc.freeze()
    done.faults += _differences(state, _state())
    return done


@contextlib.contextmanager
def _installed_alone() -> Iterator[None]:
    """Find nothing but what is installed: a project that is linked in is edited meanwhile."""
    path, finders = sys.path[:], sys.meta_path[:]
    own = (sys.prefix, sys.base_prefix)
    sys.path[:] = [one for one in path if one.startswith(own)]
    sys.meta_path[:] = [*_USUAL]
    try:
        yield
    finally:
        sys.path[:] = path + [one for one in sys.path if one not in path]
        sys.meta_path[:] = finders + [one for one in sys.meta_path if one not in finders]


def _import(name: str, environ: SpiedEnviron, done: Preloaded) -> None:
    environ.read = set()
    before = {*sys.modules}
    try:
        importlib.import_module(name)
    except (Exception, SystemExit):  # noqa: BLE001 - the program itself will tell
        done.failed.append(name)
    done.brought.update(dict.fromkeys(sys.modules.keys() - before, name))
    if environ.read:
        done.read[name] = environ.read


@contextlib.contextmanager
def _spied() -> Iterator[SpiedEnviron]:
    environ = os.environ
    environ.__class__ = SpiedEnviron
    assert isinstance(environ, SpiedEnviron)  # noqa: S101 - for the type checker
    environ.read = set()
    try:
        yield environ
    finally:
        del environ.read
        environ.__class__ = os._Environ  # type: ignore[assignment] # noqa: SLF001


@dataclass(frozen=True)
class _State:
    threads: int
    handles: frozenset[str]
    children: bool
    handlers: dict[int, object]
    ignored: str


def thread_count() -> int:
    """How many threads this process has, those of libraries in C included."""
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def _state() -> _State:
    handles = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            handles.add(f"{one.name} {one.readlink()}")
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        children = True
    except ChildProcessError:
        children = False
    numbers = signal.valid_signals()
    return _State(
        thread_count(),
        frozenset(one for one in handles if "/fd" not in one),
        children,
        {number: signal.getsignal(number) for number in numbers},
        str(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    )


def _differences(before: _State, after: _State) -> list[str]:
    found = []
    if after.threads > before.threads:
        found.append(f"imports start {after.threads - before.threads} thread(s)")
    opened = sorted(after.handles - before.handles)
    if opened:
        found.append(
            f"imports leave files open: {', '.join(one.split(' ', 1)[1] for one in opened)}"
        )
    if after.children and not before.children:
        found.append("imports start processes")
    if after.handlers != before.handlers or after.ignored != before.ignored:
        found.append("imports set handlers of signals")
    return found
