"""Words and their stems, which tell that `restarts` and `restarting` are related."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from threading import Lock

import snowballstemmer  # type: ignore[import-untyped]

COMMON_WORDS = frozenset(
    "a about all an and any are as at be been being but by can could did do does for from had has "
    "have how i if in into is it its may me my no not of on or our she should so that the their "
    "them then there these they this to up us was we were what when where which who why will with "
    "would you your".split()
)

_WORD = re.compile(r"\w+")
_ENGLISH = snowballstemmer.stemmer("english")
_ONE_AT_A_TIME = Lock()
"""A stemmer keeps the word that it works on."""


def words_of(text: str) -> Iterator[str]:
    """The words of a text, in small letters."""
    return (match[0] for match in _WORD.finditer(text.lower()))


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """The stem of a word in small letters."""
    with _ONE_AT_A_TIME:
        return str(_ENGLISH.stemWord(word))
