"""What a person sees of a task: lines, tables, and on a terminal what is going on at the moment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from stackproof.errors import StackproofError
from stackproof.waiting import StillWaiting, reminding

if TYPE_CHECKING:
    from rich.status import Status

LIVE_SECONDS = 1.0
"""How often a terminal is told what is waited for."""

MARGIN = 4
"""Columns beside the text of a live line."""

COLOURS = {
    "green": ("running", "healthy", "completed", "ok", "success"),
    "yellow": ("starting", "waiting", "restarting", "paused", "stopped", "weaker", "skipped"),
    "red": ("failed", "aborted", "exited", "unhealthy", "removed", "missing"),
}
"""Colour of a cell, by what it says."""

_MASKS: list[Callable[[str], str]] = []
"""What masks secrets in all that this process prints, from the moment they are known."""


def say(text: str) -> None:
    """Print a line at once, so that progress is seen when the output goes to a file."""
    show(masked(text))


def say_while_working(text: str) -> None:
    """The same for progress: work goes on when nobody reads it any more (`invoke up | head`)."""
    try:
        say(text)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - stays open until the exit


def show(text: str) -> None:
    """Print a line as it is, for a person who has asked for secrets."""
    print(f"{text}\n", end="", flush=True)  # in one piece: several threads tell of their progress


def masked(text: str) -> str:
    """A text without the secrets of the stack that this process works on."""
    for mask in _MASKS:
        text = mask(text)
    return text


def conceal(secrets: Sequence[str]) -> None:
    """Mask values in all that this process prints from now on."""
    from stackproof_redaction import Redactor

    _MASKS.append(Redactor(secrets).text)


def is_terminal() -> bool:
    """Whether a person looks at what this process prints while it is printed."""
    if os.environ.get("CI") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()


@contextmanager
def progress(what: str, detail: Callable[[], str] | None = None) -> Iterator[Callable[[str], None]]:
    """Show what goes on: live on a terminal, else a line where nothing else was said for long.

    Args:
        what: What goes on, such as `stopping shop`.
        detail: Gives what it waits for at that moment; asked now and then.

    Yields:
        What takes the lines of progress meanwhile.
    """

    def doing() -> str:
        more = ""
        with suppress(StackproofError, OSError):  # it may be gone already
            more = detail() if detail is not None else ""
        return masked(f"{what}: {more}" if more else what)

    if not is_terminal():
        with reminding(say_while_working, doing) as tell:
            yield tell
        return
    with _live(what) as status:

        def receive(line: str) -> None:
            if isinstance(line, StillWaiting):
                status.update(_one_line(line, status.console.width))
            else:
                status.console.print(masked(line), markup=False, highlight=False, soft_wrap=True)
                status.update(_one_line(what, status.console.width))

        with reminding(receive, doing, every=LIVE_SECONDS) as tell:
            yield tell


@contextmanager
def _live(what: str) -> Iterator[Status]:
    from rich.console import Console

    console = Console()
    with console.status(_one_line(what, console.width), refresh_per_second=5) as status:
        yield status


def _one_line(text: str, width: int) -> str:
    """A text as the console shows it in one line: without markup, cut at the edge."""
    from rich.markup import escape

    room = max(width - MARGIN, MARGIN)
    return escape(text if len(text) <= room else text[: room - 1] + "…")


def say_marked(word: str, text: str) -> None:
    """Print a line that begins with a word such as `ok`, coloured on a terminal."""
    if not is_terminal():
        say(f"{word:<7} {text}")
        return
    from rich.console import Console
    from rich.text import Text

    line = Text.assemble((f"{word:<7} ", _colour(word)), masked(text))
    Console().print(line, highlight=False, soft_wrap=True)


def show_table(rows: Sequence[tuple[str, ...]], *, head: tuple[str, ...]) -> None:
    """Print a table, coloured on a terminal; secrets are masked."""
    cells = [tuple(masked(cell) for cell in row) for row in rows]
    if not is_terminal():
        for line in table(cells, head=head):
            show(line)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in cells:
        shown.add_row(*(Text(cell, style=_colour(cell)) for cell in row))
    Console().print(shown)


def _colour(cell: str) -> str:
    return next((colour for colour, words in COLOURS.items() if cell in words), "")


def table(rows: Sequence[tuple[str, ...]], *, head: tuple[str, ...]) -> Iterator[str]:
    """Lines of a plain table with aligned columns."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
