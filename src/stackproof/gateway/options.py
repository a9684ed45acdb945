"""What a gateway is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Settings of a gateway.

    Attributes:
        scripts: YAML file of scripts that every namespace has.
        concepts: YAML file of synonyms and pinned texts for embeddings.
        strict_namespaces: Whether a request that names no namespace is refused.
    """

    scripts: Path | None = None
    concepts: Path | None = None
    strict_namespaces: bool = False
