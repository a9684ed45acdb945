"""Failures before anything starts: files, settings, and what the machine lacks."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from stackproof.errors.root import StackproofError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MOST_TOLD = 9
"""Further mistakes that one error tells."""

LONGEST_PART = 600
"""Letters of each part of a `ConfigError`."""


class ConfigError(StackproofError):
    """A file or setting that a person wrote is wrong.

    Args:
        what: What is wrong, one line.
        source: The file, or a name such as `environment` or `command line`.
        line: Line in the file, counted from 1; None where there is no file.
        key: Dotted path of the key, such as `services.api.ports[0]`.
        observed: What was found there.
        remedy: What to write instead.
    """

    def __init__(
        self,
        what: str,
        *,
        source: Path | str | None = None,
        line: int | None = None,
        key: str = "",
        observed: str = "",
        remedy: str = "",
    ) -> None:
        self.source = source
        self.line = line
        self.key = key
        self.others: tuple[ConfigError, ...] = ()
        place = "" if source is None else f"{source}:{line}" if line else f"{source}"
        where = ": ".join(part for part in (place, _cut(key)) if part)
        what = _cut(what)
        super().__init__(
            f"{where}: {what}" if where else what, observed=_cut(observed), remedy=_cut(remedy)
        )

    def __str__(self) -> str:
        lines = [f"also {error.what}{self._other_remedy(error)}" for error in self.others]
        if len(lines) > MOST_TOLD:
            lines[MOST_TOLD:] = [f"and {len(lines) - MOST_TOLD} more"]
        observed = "\n".join(filter(None, [self.observed, *lines]))
        return str(StackproofError(self.what, observed=observed, remedy=self.remedy))

    def _other_remedy(self, error: ConfigError) -> str:
        return f" ({error.remedy})" if error.remedy not in {"", self.remedy} else ""

    def mask(self, mask: Callable[[str], str]) -> None:
        """Mask secrets in its texts and in those of the other mistakes."""
        super().mask(mask)
        for error in self.others:
            error.mask(mask)


class Mistakes:
    """Mistakes of several places that are told in one error."""

    def __init__(self) -> None:
        self.found: list[ConfigError] = []

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the error of a block, and go on."""
        try:
            yield
        except ConfigError as error:
            self.found += [error, *error.others]
            error.others = ()

    def refuse(self) -> None:
        """Raise the first error together with the others, if there is one."""
        if self.found:
            first, *others = self.found
            first.others = tuple(others)
            raise first


class EngineUnavailable(StackproofError):
    """The machine lacks something that the engine needs.

    Args:
        what: What is missing.
        checked: Each place that was looked at, with what was found there.
        remedy: The ways to supply it.
    """

    def __init__(self, what: str, *, checked: Sequence[str] = (), remedy: str = "") -> None:
        self.checked = tuple(checked)
        observed = "\n".join(f"checked {place}" for place in self.checked)
        super().__init__(what, observed=observed, remedy=remedy)


class StorageFailed(StackproofError):
    """A file or folder can't be read or written: a full disk, no permission, a limit."""


def _cut(text: str) -> str:
    """A part of an error that may hold a value of any length."""
    return text if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]}…"
