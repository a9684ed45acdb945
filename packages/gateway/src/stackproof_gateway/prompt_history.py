"""Beginnings of prompts that a namespace has sent before, for what providers say of their caches.

A prompt is a row of parts. Its beginnings can be cut every so many tokens, as OpenAI and Gemini do,
or after certain parts, as Anthropic's `cache_control` says. Each has a digest of all before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

MOST = 20_000
"""Beginnings that a namespace remembers; those that were not used for the longest time go first."""


@dataclass(frozen=True)
class Part:
    """A part of a prompt.

    Attributes:
        text: Its text, whose words are its tokens.
        mark: What else must be the same, such as the role or an image; it counts no tokens.
    """

    text: str
    mark: str = ""


@dataclass(frozen=True)
class Beginning:
    """The beginning of a prompt.

    Attributes:
        tokens: How long it is.
        digest: Names all that it holds.
    """

    tokens: int
    digest: bytes


def every(
    parts: Sequence[Part], scope: str = "", *, least: int = 1024, step: int = 128
) -> list[Beginning]:
    """The beginnings of some lengths: `least` tokens, and each `step` more.

    Args:
        parts: The prompt.
        scope: What must be the same as well: the model, the tools, a key of the cache.
        least: Tokens of the shortest.
        step: Tokens by which the next one is longer.
    """
    found: list[Beginning] = []
    digest, count = _begun(scope), 0
    for part in parts:
        digest.update(_separated(part.mark))
        words, at = part.text.split(), 0
        while at < len(words):
            until_next = least - count if count < least else step - (count - least) % step
            taken = words[at : at + until_next]
            digest.update(_separated(" ".join(taken)))
            at, count = at + len(taken), count + len(taken)
            if len(taken) == until_next:
                found.append(Beginning(count, digest.digest()))
    return found


def after_each(parts: Iterable[Part], scope: str = "") -> Iterator[Beginning]:
    """The beginning that ends with each part.

    Args:
        parts: The prompt.
        scope: What must be the same as well: the model, settings that change the prompt.
    """
    digest, count = _begun(scope), 0
    for part in parts:
        digest.update(_separated(part.mark) + _separated(part.text))
        count += len(part.text.split())
        yield Beginning(count, digest.digest())


def _begun(scope: str) -> hashlib._Hash:
    return hashlib.sha256(_separated(scope))


def _separated(text: str) -> bytes:
    """A text with its length before it, so that no two rows of texts look the same."""
    content = text.encode("utf-8", "surrogatepass")
    return b"%d:%s" % (len(content), content)


@dataclass
class PromptHistory:
    """What was sent in one namespace, and until when the provider would have kept it."""

    _until: dict[bytes, int] = field(default_factory=dict)

    def longest(self, beginnings: Sequence[Beginning], now: int) -> int:
        """Tokens of the longest beginning that was sent before and is still kept; 0 if none is.

        Args:
            beginnings: Beginnings of a prompt.
            now: Seconds of the namespace's clock.
        """
        return max(
            (one.tokens for one in beginnings if self._until.get(one.digest, now) > now), default=0
        )

    def remember(self, beginnings: Sequence[Beginning], until: int) -> None:
        """Note what was sent.

        Args:
            beginnings: Beginnings of a prompt.
            until: Second of the namespace's clock at which the provider forgets them.
        """
        for one in beginnings:
            self._until[one.digest] = max(self._until.pop(one.digest, until), until)
        while len(self._until) > MOST:
            del self._until[next(iter(self._until))]
