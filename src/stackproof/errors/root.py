"""The root of all expected failures, and the masking of secrets in them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUG = "this is a bug in stackproof; please report it with the lines that follow"
"""What stands before a traceback: a user's mistake never has one."""


class StackproofError(Exception):
    """The root of all expected failures.

    Args:
        what: What failed, one line.
        observed: What was seen, any number of lines.
        remedy: What the reader can do next.
    """

    def __init__(self, what: str, *, observed: str = "", remedy: str = "") -> None:
        self.what = what
        self.observed = observed
        self.remedy = remedy
        super().__init__(what, observed, remedy)

    def __str__(self) -> str:
        parts = [self.what]
        if self.observed:
            parts.extend("  " + line for line in self.observed.splitlines())
        if self.remedy:
            parts.append("→ " + self.remedy)
        return "\n".join(parts)

    def mask(self, mask: Callable[[str], str]) -> None:
        """Mask secrets in its texts, in place.

        Args:
            mask: Gives a text without secrets.
        """
        for name, value in list(vars(self).items()):
            if isinstance(value, str):
                setattr(self, name, mask(value))
            elif isinstance(value, list | tuple):
                masked = [mask(part) if isinstance(part, str) else part for part in value]
                setattr(self, name, type(value)(masked))
        self.args = tuple(
            mask(argument) if isinstance(argument, str) else argument for argument in self.args
        )


@contextmanager
def masked_errors(mask: Callable[[str], str]) -> Iterator[None]:
    """Mask secrets in the errors that come out of a block.

    Args:
        mask: Gives a text without secrets.
    """
    try:
        yield
    except StackproofError as error:
        error.mask(mask)
        raise
