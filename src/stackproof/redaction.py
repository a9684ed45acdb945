"""Secret masking, in one place: every byte that enters a run folder or artifact passes here.

Only the standard library is imported, since the supervisor of the process engine loads this module.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MASK = "********"
"""What stands in the place of a secret."""

SHORTEST = 4
"""Secrets with fewer characters are not searched for: masking `a` would destroy every text."""


class Redactor:
    """Replaces known secret values in texts by `********`.

    Each secret is found as it is, percent-encoded as in a URL, escaped as in JSON, in Base64, and,
    if it has several lines, line by line.

    Args:
        secrets: The values to hide; those shorter than 4 characters are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= SHORTEST}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None
        self.longest = max(map(len, forms), default=0)

    def text(self, text: str) -> str:
        """The same text with each secret masked."""
        return text if self._pattern is None else self._pattern.sub(MASK, text)

    def value(self, value: object) -> object:
        """The same JSON-like value with each secret masked in its strings, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def _forms(secret: str) -> Iterator[str]:
    for part in {secret, *secret.splitlines()}:
        text = part.strip()
        if len(text) < SHORTEST:
            continue
        yield text
        yield quote(text, safe="")
        yield quote(text)
        yield quote_plus(text)
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield base64.b64encode(text.encode()).decode().rstrip("=")
