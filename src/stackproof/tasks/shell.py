"""What all tasks share: options that choose a stack, streams, and errors as readable messages."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invoke.exceptions import Exit
from invoke.tasks import Task, task

from stackproof.tasks.display import conceal, masked, say
from stackproof.tasks.words import TaskWithWords, taken
from stackproof.waiting import reminding

if TYPE_CHECKING:
    from stackproof.lifecycle import RecordedStack, ResolvedStack, StackRequest
    from stackproof.stack.running import Stack

COMMON_OPTIONS: dict[str, tuple[Any, str]] = {
    "stack": ("", "Name of config/<stack>.yaml; needed only where there are several."),
    "engine": (
        "",
        "What runs the services: process (no Docker; STACKPROOF_WORLD: what they see) or compose.",
    ),
    "profile": ([], "Profile of the stack file to switch on; may be given several times."),
    "without": ([], "Service to leave out; may be given several times."),
    "with_beat": (False, "The same as --profile beat."),
    "project": ("", "Name of one copy of the stack, other than the configured one."),
}

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 plus the number of SIGINT, as shells have it."""


_TASKS_FOLDER: list[Path] = []
"""The folder of the `tasks.py` that mounts the tasks, if one does."""


def prepare(request: StackRequest) -> ResolvedStack:
    """What every command does first; from here on, the stack's secrets are masked."""
    from stackproof import lifecycle

    with reminding(say, "removing what earlier runs have left") as tell:
        resolved = lifecycle.prepare(request, tell)
    conceal(resolved.plan.secrets)
    return resolved


def prepare_or_record(request: StackRequest) -> ResolvedStack | RecordedStack:
    """The same for `down`, `status` and `logs`: broken files must not keep a stack alive."""
    from stackproof import lifecycle

    with reminding(say, "removing what earlier runs have left") as tell:
        found = lifecycle.prepare_or_record(request, tell)
    conceal(found.plan.secrets)
    return found


def connect(resolved: ResolvedStack | RecordedStack) -> Stack:
    """The running stack; an engine that takes its time to answer is named."""
    from stackproof import lifecycle

    with reminding(say, f"asking the {resolved.plan.engine} engine for {resolved.plan.project}"):
        return lifecycle.connect(resolved)


def mount_in(folder: Path | None) -> None:
    """Remember where the `tasks.py` is that mounts the tasks."""
    _TASKS_FOLDER[:] = [] if folder is None else [folder]


def project_folder() -> Path:
    """The project's folder: that of `tasks.py`, or the current one if only that has a `config`.

    So `cd tests && invoke up` and `invoke -r DIR up` mean the same project.
    """
    current = Path.cwd()
    for folder in _TASKS_FOLDER:
        if (folder / "config").is_dir() or not (current / "config").is_dir():
            return folder
    return current


def stack_task(*, words: str = "", **help_texts: str) -> Callable[[Callable[..., None]], Task[Any]]:
    """Make an Invoke task of a function whose first parameter is the request of a stack.

    The options of `COMMON_OPTIONS` are added to the function's own; every expected failure becomes
    one message and exit status 1.

    Args:
        words: The option that takes words without an option as well: `invoke logs api`.
        help_texts: Texts for the function's own options.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        own = list(signature(body).parameters.values())[1:]
        shown = body.__name__.rstrip("_")

        def wrapper(_context: object, **options: Any) -> None:
            if "--help" in options.values():  # Invoke takes it for the value of a positional
                raise Exit(f"{wrapper.__doc__}\n\nall options: invoke --help {shown}", code=0)
            chosen = {name: options.pop(name) for name in COMMON_OPTIONS}
            named = taken(options)
            if words:
                options[words] = [*named, *options[words]]
            with readable_errors():
                secure_streams()
                body(make_request(**chosen), **options)

        context = Parameter("_context", Parameter.POSITIONAL_OR_KEYWORD)
        common = [
            Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, (default, _) in COMMON_OPTIONS.items()
        ]
        wrapper.__signature__ = Signature([context, *own, *common])  # type: ignore[attr-defined] # Invoke reads it
        wrapper.__name__ = body.__name__
        wrapper.__doc__ = cleandoc(body.__doc__ or "")
        wrapper.__module__ = body.__module__
        texts = {name.replace("_", "-"): text for name, (_, text) in COMMON_OPTIONS.items()}
        repeated = [option.name for option in own if option.default == []]
        made = task(
            wrapper,
            name=shown,
            help={**texts, **{name.replace("_", "-"): text for name, text in help_texts.items()}},
            iterable=["profile", "without", *repeated],
            positional=[option.name for option in own if option.default is Parameter.empty],
            auto_shortflags=False,
            klass=TaskWithWords if words else Task,
        )
        return cast("Task[Any]", made)

    return decorate


def make_request(
    *,
    stack: str,
    engine: str,
    profile: list[str],
    without: list[str],
    with_beat: bool,
    project: str,
) -> StackRequest:
    """The request that the common options make."""
    with _kept_bytecode():
        from stackproof.lifecycle import StackRequest

    profiles = [*profile, *(["beat"] if with_beat else [])]
    return StackRequest(
        root=project_folder(),
        environment=dict(os.environ),
        stack=stack or None,
        engine=engine or None,
        project=project or None,
        profiles=tuple(dict.fromkeys(profiles)),
        without=tuple(names(without)),
    )


@contextmanager
def _kept_bytecode() -> Iterator[None]:
    """Let Python keep the compiled modules that are imported here, unless its caller has said no.

    Invoke switches that off for `tasks.py`; all of stackproof would be compiled at each task.
    """
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, bool(sys.flags.dont_write_bytecode)
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def secure_streams() -> None:
    """Make what this task and its commands read and write usable, or say why it is not.

    A closed stream would be taken by the next file that is opened; a character that the encoding
    of the output lacks would be an error.

    Raises:
        StackproofError: If nobody could see what the task says.
    """
    from stackproof.errors import StackproofError

    closed = [number for number in range(3) if not _is_open(number)]
    for number in closed:
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != number:
            os.dup2(nowhere, number)
            os.close(nowhere)
    if 1 in closed:
        raise StackproofError(
            "standard output is closed, so nothing of this task could be seen",
            remedy="send it somewhere, such as `> /dev/null`",
        )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn expected failures into one message and an exit status; only a bug has a traceback."""
    from stackproof.errors import BUG, StackproofError
    from stackproof.settings.storage import storage_errors

    try:
        with storage_errors():
            yield
    except StackproofError as error:
        raise Exit(masked(f"ERROR {error}"), code=1) from None
    except KeyboardInterrupt:
        raise Exit("interrupted", code=INTERRUPTED) from None
    except BrokenPipeError:  # such as `invoke logs | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open until the exit
        raise Exit(code=0) from None
    except Exit:
        raise
    except Exception:
        print(BUG, file=sys.stderr, flush=True)
        raise


def remainder() -> list[str]:
    """What stands after `--` on the command line."""
    return sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []


def names(values: list[str]) -> list[str]:
    """Service names from a repeatable option that also takes comma-separated lists."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]
