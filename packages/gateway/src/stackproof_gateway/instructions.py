"""Instructions in a prompt that the default reply follows, also inside of XML.

`<task>Reply with exactly: yes</task>` asks for `yes`: an element that is open where the instruction
begins ends it, and one that begins in it is a part of it.
"""

from __future__ import annotations

import re
from collections import Counter

SUMMARY_WORDS = 20

_EXACTLY = re.compile(r"Reply with exactly:[ \t]*([^\n]*)")
_SUMMARIZE = re.compile(r"\s*(?:please\s+)?summari[sz]e\b[^:\n]*[:\n]?", re.IGNORECASE)
_OPENINGS = re.compile(r"\s*(?:<[A-Za-z_][^<>/\s]*(?:\s[^<>]*)?>\s*)+")
_TAG = re.compile(r"<(/?)([A-Za-z_][^<>/\s]*)(?:\s[^<>]*)?>")


def exactly(asked: str) -> str | None:
    """What the reply is to be; None if nothing says so."""
    found = _EXACTLY.search(asked)
    return None if found is None else _within(asked[: found.start()], found[1]).strip()


def to_summarize(asked: str) -> str | None:
    """What is to be summarised; None if the prompt does not begin with that."""
    openings = _OPENINGS.match(asked)
    begin = openings.end() if openings else 0
    found = _SUMMARIZE.match(asked, begin)
    if found is None:
        return None
    return _within(asked[:begin], asked[found.end() :]).strip() or None


def _within(before: str, text: str) -> str:
    """A text up to the end of the element that it stands in.

    Args:
        before: What stands before it.
        text: The text.
    """
    if "</" not in text:
        return text
    around: Counter[str] = Counter()
    for closing, name in _TAG.findall(before):
        around[name] = max(around[name] + (-1 if closing else 1), 0)
    inside: Counter[str] = Counter()
    for tag in _TAG.finditer(text):
        closing, name = tag.groups()
        if closing and not inside[name] and around[name]:
            return text[: tag.start()]
        inside[name] = max(inside[name] + (-1 if closing else 1), 0)
    return text


def plain_reply(asked: str) -> str:
    """What the model says to a text: what it says to reply, a summary of it, or its echo."""
    wanted = exactly(asked)
    if wanted is not None:
        return wanted
    long = to_summarize(asked)
    if long is not None:
        return "summary: " + " ".join(long.split()[:SUMMARY_WORDS])
    return f"echo: {asked}"
