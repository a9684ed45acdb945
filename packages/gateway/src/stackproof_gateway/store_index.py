"""A vector store's index: files in overlapping chunks, ranked by their embeddings.

Source of the sizes: OpenAI API reference, "Create vector store", chunking strategy `auto`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.concepts import Concepts
from stackproof_gateway.embeddings import embed
from stackproof_gateway.shelf import StoredFile

DIMENSIONS = 512
CHUNK_WORDS = 800
OVERLAP_WORDS = 400


@dataclass(frozen=True)
class Chunk:
    """A part of a file, with its embedding."""

    text: str
    vector: list[float] = field(repr=False)


@dataclass
class IndexedFile:
    """A file in a vector store.

    Attributes:
        file: The file.
        chunks: Its parts.
        attributes: What the user says of it, for filters.
        created: Seconds of the namespace's clock.
        strategy: How it was cut into chunks.
        pending: How often it is still said to be in progress; until then no search finds it.
    """

    file: StoredFile
    chunks: list[Chunk]
    attributes: dict[str, Any]
    created: int
    strategy: dict[str, Any]
    pending: int = 0

    @property
    def size(self) -> int:
        """Bytes of its chunks."""
        return sum(len(part.text.encode("utf-8", "surrogatepass")) for part in self.chunks)


@dataclass
class VectorStore:
    """A vector store.

    Attributes:
        identity: Its id.
        name: Its name.
        created: Seconds of the namespace's clock.
        metadata: What the user says of it.
        files: Its files by id.
        expires_after: When it is to expire, as the user said it.
    """

    identity: str
    name: str
    created: int
    metadata: dict[str, Any] = field(default_factory=dict)
    files: dict[str, IndexedFile] = field(default_factory=dict)
    expires_after: dict[str, Any] | None = None


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    Attributes:
        indexed: The file that it is from.
        text: The chunk.
        score: How near it is to the query, from 0 to 1.
    """

    indexed: IndexedFile
    text: str
    score: float


def index(file: StoredFile, strategy: dict[str, Any], concepts: Concepts) -> list[Chunk]:
    """The chunks of a file.

    Args:
        file: The file.
        strategy: Its chunking strategy, checked.
        concepts: The user's synonyms.
    """
    static = strategy.get("static") or {}
    size = int(static.get("max_chunk_size_tokens", CHUNK_WORDS))
    overlap = int(static.get("chunk_overlap_tokens", OVERLAP_WORDS))
    words = file.contents.read().decode("utf-8", "replace").split()
    step = max(size - overlap, 1)
    starts = range(0, max(len(words) - overlap, 1), step) if words else range(0)
    texts = [" ".join(words[at : at + size]) for at in starts]
    return [Chunk(text, embed(text, DIMENSIONS, concepts)) for text in texts]


def search(
    files: list[IndexedFile], queries: list[str], concepts: Concepts, most: int
) -> list[Hit]:
    """The chunks that are nearest to any of the queries, best first.

    Args:
        files: Where to look.
        queries: What to look for.
        concepts: The user's synonyms.
        most: How many to return.
    """
    vectors = [embed(query, DIMENSIONS, concepts) for query in queries]
    hits = [
        Hit(indexed, chunk.text, max(_closeness(chunk.vector, vector) for vector in vectors))
        for indexed in files
        if not indexed.pending
        for chunk in indexed.chunks
    ]
    hits.sort(key=lambda hit: (-hit.score, hit.indexed.file.identity))
    return hits[:most]


def _closeness(vector: list[float], other: list[float]) -> float:
    value = math.fsum(a * b for a, b in zip(vector, other, strict=True))
    return round(min(max(value, 0.0), 1.0), 6)
