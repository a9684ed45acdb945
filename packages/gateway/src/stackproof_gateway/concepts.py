"""The user's own knowledge for embeddings: synonyms, and texts that belong together.

A YAML file with two lists. `concepts` has groups of synonyms; `pinned` has groups of texts that
get the embedding of the first one, whatever they say::

    concepts:
      car: [car, automobile, vehicle]
    pinned:
      - ["How do I get my money back?", refund policy]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof_gateway.stems import stem, words_of
from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.yaml_files import read_fields


@dataclass(frozen=True)
class Concepts:
    """What a user knows of the words of their field.

    Attributes:
        stems: Concept by the stem of a word.
        pinned: Text whose embedding is used, by text in small letters.
    """

    stems: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, str] = field(default_factory=dict)

    def of(self, root: str) -> str | None:
        """The concept of a stem; None if it has none."""
        return self.stems.get(root)


NO_CONCEPTS = Concepts()


def load_concepts(path: Path) -> Concepts:
    """The concepts of a file.

    Raises:
        ScriptError: If it cannot be read, or is not what it should be; with file and line.
    """
    fields = read_fields(path)
    groups = fields.take("concepts", dict, "groups of words") or {}
    pinned = fields.take("pinned", list, "groups of texts") or []
    fields.finish()
    stems: dict[str, str] = {}
    for name, words in groups.items():
        for word in [str(name), *_texts(words, fields, "concepts")]:
            stems.update((stem(part), str(name)) for part in words_of(word))
    texts: dict[str, str] = {}
    for group in pinned:
        first, *others = _texts(group, fields, "pinned")
        texts.update((other.strip().lower(), first) for other in others)
    return Concepts(stems, texts)


def _texts(group: Any, fields: Fields, key: str) -> list[str]:
    if not isinstance(group, list) or not group or not all(isinstance(text, str) for text in group):
        raise fields.error(f"expected lists of texts, but got {group!r}", key)
    return group
