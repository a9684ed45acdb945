"""What all tasks share: the options that choose a stack, and errors as readable messages."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature, cleandoc, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from invoke.exceptions import Exit
from invoke.tasks import Task, task

if TYPE_CHECKING:
    from stackproof.lifecycle import Blueprint, Choice

COMMON_OPTIONS: dict[str, tuple[Any, str]] = {
    "stack": ("", "Name of config/<stack>.yaml; needed only where there are several."),
    "engine": ("", "What runs the services: process (no Docker) or compose."),
    "profile": ([], "Profile of the stack file to switch on; may be given several times."),
    "with_beat": (False, "The same as --profile beat."),
    "project": ("", "Name of one copy of the stack, other than the configured one."),
}

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 plus the number of SIGINT, as shells have it."""


_MASKS: list[Callable[[str], str]] = []
"""What masks secrets in all that this process prints, from the moment they are known."""


def say(text: str) -> None:
    """Print a line at once, so that progress is seen when the output goes to a file."""
    show(masked(text))


def show(text: str) -> None:
    """Print a line as it is, for a person who has asked for secrets."""
    print(text, flush=True)


def masked(text: str) -> str:
    """A text without the secrets of the stack that this process works on."""
    for mask in _MASKS:
        text = mask(text)
    return text


def prepare(choice: Choice) -> Blueprint:
    """What every command does first; from here on, the stack's secrets are masked."""
    from stackproof import lifecycle

    blueprint = lifecycle.prepare(choice, say)
    conceal(blueprint.plan.secrets)
    return blueprint


def conceal(secrets: Sequence[str]) -> None:
    """Mask values in all that this process prints from now on."""
    from stackproof.redaction import Redactor

    _MASKS.append(Redactor(secrets).text)


def stack_task(**help_texts: str) -> Callable[[Callable[..., None]], Task[Any]]:
    """Make an Invoke task of a function whose first parameter is the choice of a stack.

    The options of `COMMON_OPTIONS` are added to the function's own; every expected failure becomes
    one message and exit status 1.

    Args:
        help_texts: Texts for the function's own options.
    """

    def decorate(body: Callable[..., None]) -> Task[Any]:
        own = list(signature(body).parameters.values())[1:]
        shown = body.__name__.rstrip("_")

        def wrapper(_context: object, **options: Any) -> None:
            if "--help" in options.values():  # Invoke takes it for the value of a positional
                raise Exit(f"{wrapper.__doc__}\n\nall options: invoke --help {shown}", code=0)
            chosen = {name: options.pop(name) for name in COMMON_OPTIONS}
            with readable_errors():
                body(make_choice(**chosen), **options)

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
        repeated = [one.name for one in own if one.default == []]
        made = task(
            wrapper,
            name=shown,
            help={**texts, **{name.replace("_", "-"): text for name, text in help_texts.items()}},
            iterable=["profile", *repeated],
            positional=[one.name for one in own if one.default is Parameter.empty],
            auto_shortflags=False,
        )
        return cast("Task[Any]", made)

    return decorate


def make_choice(
    *, stack: str, engine: str, profile: list[str], with_beat: bool, project: str
) -> Choice:
    """The choice that the common options make."""
    from stackproof.lifecycle import Choice

    profiles = [*profile, *(["beat"] if with_beat else [])]
    return Choice(
        root=Path.cwd(),
        environment=dict(os.environ),
        stack=stack or None,
        engine=engine or None,
        project=project or None,
        profiles=tuple(dict.fromkeys(profiles)),
    )


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


def table(rows: Sequence[tuple[str, ...]], *, head: tuple[str, ...]) -> Iterator[str]:
    """Lines of a plain table with aligned columns."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
