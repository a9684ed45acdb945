"""Refusals in the words of Anthropic, which names the field where there is one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stackproof_gateway.errors import ProviderError


def refused(param: str, problem: str) -> ProviderError:
    """A field that is not what it should be."""
    return ProviderError(400, f"{param}: {problem}", param=param)


def excluded(message: str, param: str | None = None) -> ProviderError:
    """A field that the model does not take, or that others exclude."""
    return ProviderError(400, message, param=param)


def unknown_tag(param: str, found: object, known: Iterable[str]) -> ProviderError:
    """A `type` that is none of those that fit there."""
    expected = ", ".join(f"'{tag}'" for tag in sorted(known))
    return refused(param, f"Input tag '{str(found)[:40]}' found using 'type' does not match any of "
                   f"the expected tags: {expected}")  # fmt: skip


def none_of(param: str, words: Sequence[str]) -> ProviderError:
    """A word that is none of those that fit there."""
    *others, last = (f"'{word}'" for word in words)
    expected = f"{', '.join(others)} or {last}" if others else last
    return refused(param, f"Input should be {expected}")
