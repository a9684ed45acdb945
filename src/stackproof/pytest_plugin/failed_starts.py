"""Stacks that have failed to start, so that not every test that wants the same one waits for it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stackproof.errors import StackproofError


@dataclass
class FailedStarts:
    """What has failed to start in this process, by kind of stack."""

    _verdicts: dict[Hashable, tuple[str, StackproofError]] = field(default_factory=dict)

    def __contains__(self, kind: Hashable) -> bool:
        return kind in self._verdicts

    @contextmanager
    def trying(self, kind: Hashable, test: str) -> Iterator[None]:
        """Try to start a stack, unless that has failed already for another test.

        A test that asks a second time is run again on purpose, so it may try once more.

        Args:
            kind: Equal for two tests that could use the same stack.
            test: Id of the test that wants it.

        Raises:
            StackproofError: With the verdict of the first try.
        """
        from stackproof.errors import NotAttached, StackproofError

        first, verdict = self._verdicts.get(kind, (test, None))
        if verdict is not None and first != test:
            raise StackproofError(
                verdict.what,
                observed="\n".join(
                    filter(
                        None, [verdict.observed, f"it failed for {first}; it is not tried again"]
                    )
                ),
                remedy=verdict.remedy,
            )
        try:
            yield
        except NotAttached:
            raise
        except StackproofError as error:
            self._verdicts[kind] = (test, error)
            raise
        self._verdicts.pop(kind, None)
