"""Which recorded value stands for which value of now, and which recording fits that best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # namespaces keep this, and recordings know calls, which know namespaces
    from stackproof_gateway.provider.cassettes import Variant
    from stackproof_gateway.provider.changing import Numbered


@dataclass
class Correspondence:
    """What a namespace's replays have told of the values so far.

    Attributes:
        now: The values of now, by the recorded ones.
        recorded: The recorded values that stand for one thing, by those of now.
    """

    now: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)

    def best(
        self, asked: Numbered, variants: Sequence[Variant], used: Mapping[str, int]
    ) -> Variant:
        """The recording whose values contradict least what is known; of equals the next in turn.

        Args:
            asked: The request of now.
            variants: Recordings that are alike but for their values, in turn; at least one.
            used: How often each file was replayed.
        """

        def rank(at: int) -> tuple[int, bool, int, int]:
            variant = variants[at]
            pairs = _pairs(asked, variant.numbered)
            against = sum(self._contradicts(old, new) for old, new in pairs)
            agreed = sum(self.now.get(old) == new for old, new in pairs)
            done = used[variant.cassette.path.name] >= len(variant.cassette.replies)
            return against, done, -agreed, -at if done else at

        return variants[min(range(len(variants)), key=rank)]

    def learn(self, asked: Numbered, recorded: Numbered) -> dict[str, str]:
        """Note a match; gives back the values of now by the recorded ones, this match's first."""
        own = dict(zip(recorded.values, asked.values, strict=True))
        self.now.update(own)
        self.recorded.update({new: old for old, new in _pairs(asked, recorded)})
        return {**self.now, **own}

    def introduce(self, values: Iterable[str]) -> None:
        """Note values that an answer has brought in: they are now what they were."""
        for value in values:
            if value not in self.recorded:
                self.recorded[value] = value
                self.now.setdefault(value, value)

    def _contradicts(self, old: str, new: str) -> bool:
        return self.now.get(old, new) != new or self.recorded.get(new, old) != old


def _pairs(asked: Numbered, recorded: Numbered) -> list[tuple[str, str]]:
    """Recorded values and those of now, as far as they stand for one thing."""
    both = zip(recorded.values, asked.values, strict=True)
    return [(old, new) for old, new in both if old in recorded.identities]


@dataclass
class Replayed:
    """What a namespace has replayed.

    Attributes:
        used: How often each file was replayed.
        values: What is known of its values.
    """

    used: Counter[str] = field(default_factory=Counter)
    values: Correspondence = field(default_factory=Correspondence)
