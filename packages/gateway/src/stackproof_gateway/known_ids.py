"""Ids that a prompt holds, so that an answer can speak of the same things."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MOST = 1_000
"""Ids that are looked at; a prompt may list very many."""

UUID = re.compile(r"(?<![\w-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![\w-])")

_QUOTE = r"\\{0,3}[\"'`]?"
_LABEL = rf"(?<![A-Za-z0-9_])([A-Za-z][A-Za-z0-9_]{{0,60}}){_QUOTE}\s{{0,3}}[:=]\s{{0,3}}"
_LABELLED = re.compile(
    rf"{_LABEL}({_QUOTE})([A-Za-z0-9][A-Za-z0-9_.-]{{0,99}})(?![A-Za-z0-9_-]|{_QUOTE}\s{{0,3}}[:=])"
)
_LISTED = re.compile(rf"{_LABEL}\[([^\[\]{{}}]{{1,4000}})\]")
_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ID = re.compile(r"(?:.*_)?(?:id|uuid)s?")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def label_of(name: str) -> str | None:
    """What ids are called that belong into a property; None if it holds no id.

    Args:
        name: Name of the property: `id`, `task_id`, `taskId`, `task_ids`, `uuid` and the like.
    """
    small = _HUMP.sub("_", name[:100]).lower().replace("-", "_")
    return small.removesuffix("s") if _ID.fullmatch(small) else None


class KnownIds:
    """The ids of some texts.

    Args:
        texts: The texts; ids of the first go first.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._labelled: dict[str, list[str]] | None = None

    def groups(self, label: str) -> Iterator[list[str]]:
        """Ids for a property, the likeliest group first: its own label, a shorter one, UUIDs.

        Args:
            label: What `label_of` says of the property.
        """
        if self._labelled is None:
            self._labelled = self._read()
        parts = label.split("_")
        for at in range(len(parts)):
            yield self._labelled.get("_".join(parts[at:]), [])
        yield self._labelled.get("", [])

    def _read(self) -> dict[str, list[str]]:
        found: dict[str, dict[str, None]] = {}
        left = MOST
        for text in self._texts:
            for label, value in _ids(text):
                if left == 0:
                    break
                left -= 1
                found.setdefault(label, {}).setdefault(value)
        return {label: list(values) for label, values in found.items()}


def _ids(text: str) -> Iterator[tuple[str, str]]:
    """Ids with their labels; UUIDs once more without any."""
    for match in UUID.finditer(text):
        yield "", match[0]
    for match in _LABELLED.finditer(text):
        label = label_of(match[1])
        value = match[3].rstrip(".")
        if label is not None and _is_id(value, quoted=bool(match[2])):
            yield label, value
    for match in _LISTED.finditer(text):
        label = label_of(match[1])
        for item in _ITEM.finditer(match[2]) if label is not None else ():
            yield str(label), item[0].rstrip(".")


def _is_id(value: str, *, quoted: bool) -> bool:
    """Whether a value is an id rather than a word of a sentence or the name of a type."""
    if any(letter.isdigit() for letter in value):
        return True
    return quoted and value not in {"string", "integer", "number", "uuid", "null"}
