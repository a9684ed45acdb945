"""Words and their stems: enough of English to tell that `restarts` and `restarting` are related.

Source of the suffix rules: M. F. Porter, "An algorithm for suffix stripping" (1980), steps 1a-1c
and the commonest suffixes of steps 2-4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

COMMON_WORDS = frozenset(
    "a about all an and any are as at be been being but by can could did do does for from had has "
    "have how i if in into is it its may me my no not of on or our she should so that the their "
    "them then there these they this to up us was we were what when where which who why will with "
    "would you your".split()
)
SHORTEST_STEM = 3

_WORD = re.compile(r"\w+")
_VOWEL = re.compile(r"[aeiouy]")
_SUFFIXES = (
    ("ational", "ate"), ("ization", "ize"), ("isation", "ize"), ("fulness", "ful"),
    ("iveness", "ive"), ("ousness", "ous"), ("ations", "ate"), ("ation", "ate"), ("ator", "ate"),
    ("ising", "ize"), ("ised", "ize"), ("ises", "ize"), ("ise", "ize"),
    ("ments", ""), ("ment", ""), ("ness", ""), ("ance", ""), ("ence", ""), ("able", ""),
    ("ible", ""), ("ally", ""), ("tion", "t"), ("sion", "s"), ("ity", ""), ("ive", ""),
    ("ful", ""), ("ous", ""), ("ery", "er"), ("al", ""), ("ly", ""),
)  # fmt: skip


def words_of(text: str) -> Iterator[str]:
    """The words of a text, in small letters."""
    return (match[0] for match in _WORD.finditer(text.lower()))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a word in small letters."""
    word = _verb(_singular(word))
    for suffix, replacement in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= SHORTEST_STEM:
            word = word.removesuffix(suffix) + replacement
            break
    for ending in ("er", "or", "e"):
        if word.endswith(ending) and len(word) - len(ending) > SHORTEST_STEM:
            word = word.removesuffix(ending)
    return word[:-1] + "i" if word.endswith("y") and len(word) > SHORTEST_STEM else word


def _singular(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("ies") and len(word) > SHORTEST_STEM + 1:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > SHORTEST_STEM:
        return word[:-1]
    return word


def _verb(word: str) -> str:
    for suffix in ("ing", "ed"):
        front = word.removesuffix(suffix)
        if front != word and len(front) >= SHORTEST_STEM and _VOWEL.search(front):
            if len(front) > SHORTEST_STEM and front[-1] == front[-2] and front[-1] not in "lsz":
                return front[:-1]
            return front
    return word
