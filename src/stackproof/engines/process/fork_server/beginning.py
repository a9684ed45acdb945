"""A forked copy becomes the program: nothing of the fork server is left to be seen.

It ends as an interpreter does, but for the teardown of its modules, which takes seconds and which
no program can rely on.
Sources: the Python documentation of `site`, `__main__`, `runpy`, `atexit`; proc(5), "cmdline" and
"environ"; prctl(2), PR_SET_DUMPABLE and PR_SET_NAME.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import ctypes
import gc
import importlib
import io
import os
import posix
import runpy
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import NoReturn

from stackproof.engines.process.fork_server.order import Order
from stackproof.engines.process.fork_server.recording import Notes, record
from stackproof.engines.process.fork_server.values import OWN_MODULES
from stackproof.reaper import kernel

_PR_SET_DUMPABLE, _PR_SET_NAME = 4, 15
_ARGUMENTS, _ENVIRONMENT = (47, 48), (49, 50)
"""Fields of /proc/PID/stat, counted from 0: where the texts begin and end in memory."""

OF_MEASURING = frozenset({"coverage", "sitecustomize"})
"""What begins anew in a copy, which may have its own: those of the import path."""

SIGNALLED = 128
"""What an interpreter adds to the number of a signal that should have ended it, as PID 1."""


def begin(order: Order, search: Sequence[str], notes: Notes | None = None) -> NoReturn:
    """Become the program of an order; called in the room, with its rights.

    Args:
        order: What it becomes.
        search: `sys.path` of the fork server without what its own start has put there.
        notes: Where it is noted what the program imports, but for what measures it.
    """
    _take_environment(order)
    _show_as(order)
    _take_signals()
    _forget()
    run = _prepared(order, search)
    _customize()
    if notes is not None:
        record(notes)
    _run_to_the_end(run)


def _take_environment(order: Order) -> None:
    os.environ.clear()
    os.environ.update({**order.env})
    posix.environ.clear()  # what `os.environ` was made from
    posix.environ.update({os.fsencode(key): os.fsencode(order.env[key]) for key in order.env})
    time.tzset()


def _show_as(order: Order) -> None:
    """Let /proc and `ps` show the program, and not the fork server."""
    kernel.call("prctl", _PR_SET_DUMPABLE, 1, 0, 0, 0)
    kernel.call("prctl", _PR_SET_NAME, Path(order.argv[0]).name[:15], 0, 0, 0)
    text = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = ["", "", *text.rpartition(") ")[2].split()]
    texts = (order.argv, [f"{key}={value}" for key, value in order.env.items()])
    for (start, end), words in zip((_ARGUMENTS, _ENVIRONMENT), texts, strict=True):
        _overwrite(int(fields[start]), int(fields[end]), words)


def _overwrite(start: int, end: int, words: Sequence[str]) -> None:
    """Write words over those that the kernel has put into this process's memory."""
    size = end - start
    if start <= 0 or size <= 0:
        return
    text = b"".join(os.fsencode(word) + b"\0" for word in words)[: size - 1]
    ctypes.memset(start, 0, size)
    ctypes.memmove(start, text, len(text))


def _take_signals() -> None:
    """Have the handlers that an interpreter begins with."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def _forget() -> None:
    """Forget what another environment or another folder would have made different."""
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN_MODULES]:
        del sys.modules[name]
    _reset("tempfile", tempdir=None)
    _reset("multiprocessing.process", ORIGINAL_DIR=str(Path.cwd()))
    now = time.time_ns() if sys.version_info >= (3, 13) else time.time()
    _reset("logging", _startTime=now)
    _reset("site", USER_BASE=None, USER_SITE=None)
    _reset("sysconfig", _CONFIG_VARS=None, _CONFIG_VARS_INITIALIZED=False)
    _begin_chance_anew()
    threading.main_thread()._set_native_id()  # type: ignore[attr-defined] # noqa: SLF001 - as a new thread does
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    gc.enable()


def _begin_chance_anew() -> None:
    """Let no two copies draw the same; `random` and OpenSSL see to that themselves."""
    numbers, processes = sys.modules.get("numpy.random"), sys.modules.get("multiprocessing.process")
    if numbers is not None:
        numbers.seed()
    if processes is not None:
        processes.current_process().authkey = os.urandom(32)


def _reset(module: str, **values: object) -> None:
    found = sys.modules.get(module)
    for name, value in values.items():
        if found is not None and hasattr(found, name):
            setattr(found, name, value)


def _prepared(order: Order, search: Sequence[str]) -> Callable[[], object]:
    """Set what the interpreter's command line sets, and give what runs the program."""
    _open_streams()
    own = [path for path in order.env.get("PYTHONPATH", "").split(os.pathsep) if path]
    main = types.ModuleType("__main__")
    main.__builtins__ = builtins  # type: ignore[attr-defined] # as the interpreter does
    sys.modules["__main__"] = main
    sys.orig_argv = list(order.argv)
    if order.module:
        sys.path[:] = [order.cwd, *own, *search]
        sys.argv = ["-m", *order.arguments]
        return lambda: runpy._run_module_as_main(order.module)  # type: ignore[attr-defined] # noqa: SLF001
    sys.path[:] = [str(Path(order.script).resolve().parent), *own, *search]
    sys.argv = [order.script, *order.arguments]
    return lambda: _run_script(order.script, main)


def _open_streams() -> None:
    """Have the three streams of the program, as an interpreter opens them."""
    stdin = io.BufferedReader(io.FileIO(0, closefd=False))
    encoding, errors = sys.stdin.encoding, sys.stdin.errors
    opened: dict[str, io.TextIOWrapper] = {
        "stdin": io.TextIOWrapper(stdin, encoding=encoding, errors=errors)
    }
    for number, name in ((1, "stdout"), (2, "stderr")):
        opened[name] = _stream(number, getattr(sys, name))
    for name, stream in opened.items():
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _stream(number: int, before: io.TextIOWrapper) -> io.TextIOWrapper:
    """A text stream with the settings of another one."""
    raw = io.FileIO(number, "wb", closefd=False)
    unbuffered = before.write_through
    inner = raw if unbuffered else io.BufferedWriter(raw)
    return io.TextIOWrapper(
        inner,
        encoding=before.encoding,
        errors=before.errors,
        newline="\n",
        line_buffering=before.line_buffering,
        write_through=unbuffered,
    )


def _run_script(path: str, main: types.ModuleType) -> None:
    main.__file__ = path
    main.__loader__ = loader = SourceFileLoader("__main__", path)
    text = Path(path).read_bytes()
    exec(loader.source_to_code(text, path), main.__dict__)  # noqa: S102 - that is the aim


def _customize() -> None:
    """Import what the import path's own start wants, such as coverage's, before its program.

    As in an interpreter, the program's own folder is not on the path yet.
    """
    if os.environ.get("PYTHONPATH"):
        for name in [name for name in sys.modules if name.partition(".")[0] in OF_MEASURING]:
            del sys.modules[name]
        first = sys.path.pop(0)
        with contextlib.suppress(ImportError):
            importlib.import_module("sitecustomize")
        sys.path.insert(0, first)


def _run_to_the_end(run: Callable[[], object]) -> NoReturn:
    code = _code_of(run)
    try:
        threading._shutdown()  # type: ignore[attr-defined] # noqa: SLF001 - as an interpreter does
        atexit._run_exitfuncs()  # noqa: SLF001 - the same
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    finally:
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code if code >= 0 else SIGNALLED - code)


def _code_of(run: Callable[[], object]) -> int:
    """Run it, and give the exit status that an interpreter would; minus a signal that ends it."""
    try:
        run()
    except SystemExit as end:
        return _code_of_exit(end)
    except BaseException as error:  # noqa: BLE001 - as an interpreter's end
        _say(error)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _code_of_exit(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _say(error: BaseException) -> None:
    """Tell of an error as an interpreter does, without the frames of this module."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") == __name__:
        trace = trace.tb_next
    try:
        sys.excepthook(type(error), error.with_traceback(trace), trace)
    except BaseException:  # noqa: BLE001 - a hook of the program
        traceback.print_exception(error)
