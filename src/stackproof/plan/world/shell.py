"""The simple commands of a shell text, as far as they can be seen without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackproof.plan.services.instructions import words_of

_BETWEEN = re.compile(r"&&|\|\||[;|&\n]")
_BEFORE = frozenset({"then", "do", "else", "!", "if", "sudo", "exec", "{", "(", "time"})


def commands_in(text: str) -> Iterator[list[str]]:
    """Each command with its arguments; one that is divided within quotes is not seen whole.

    Args:
        text: What RUN hands to the shell.
    """
    for part in _BETWEEN.split(text):
        words = words_of(part.strip())
        while words and words[0] in _BEFORE:
            words = words[1:]
        if words:
            yield words
