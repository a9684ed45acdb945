"""Embeddings without a model: signed hashing of the features of a text, the same each time.

Features are the stems of words, pairs of them, their trigrams of letters, and the concepts that a
user's file gives to them. Related texts come out closer than unrelated ones, since they share
features. Source of the method: Weinberger et al., "Feature Hashing for Large Scale Multitask
Learning" (2009).
"""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from array import array
from functools import lru_cache

from stackproof_gateway.concepts import NO_CONCEPTS, Concepts
from stackproof_gateway.stems import COMMON_WORDS, stem, words_of

DEFAULT_DIMENSIONS = 1536
MOST_DIMENSIONS = 4096

STEM_WEIGHT = 1.0
COMMON_WEIGHT = 0.05
CONCEPT_WEIGHT = 0.7
"""Less than the word itself: a synonym never beats the very word that was asked for."""

BIGRAM_WEIGHT = 0.5
TRIGRAM_WEIGHT = 0.25
"""Of all trigrams of a word together; a long word is no more than a short one."""

Feature = tuple[int, float]


def embed(text: str, dimensions: int, concepts: Concepts = NO_CONCEPTS) -> list[float]:
    """The embedding of a text, of length 1.

    Args:
        text: The text.
        dimensions: How many numbers.
        concepts: The user's synonyms and pinned texts.
    """
    seed = concepts.pinned.get(text.strip().lower())
    text = text if seed is None else seed
    vector = [0.0] * dimensions
    before = ""
    for word in words_of(text):
        if word in COMMON_WORDS:
            _add(vector, f"w:{word}", COMMON_WEIGHT)
            continue
        for number, weight in _features(word):
            vector[(number >> 1) % dimensions] += weight if number & 1 else -weight
        root = stem(word)
        concept = concepts.of(root)
        if concept:
            _add(vector, f"c:{concept}", CONCEPT_WEIGHT)
        if before:
            _add(vector, f"b:{before} {root}", BIGRAM_WEIGHT)
        before = root
    return _normalised(vector)


def _add(vector: list[float], feature: str, weight: float) -> None:
    number = _hash(feature)
    vector[(number >> 1) % len(vector)] += weight if number & 1 else -weight


def _normalised(vector: list[float]) -> list[float]:
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:
        vector[0], length = 1.0, 1.0
    return array("f", [value / length for value in vector]).tolist()


@lru_cache(maxsize=65536)
def _features(word: str) -> tuple[Feature, ...]:
    """The features of one word, hashed, with their weights."""
    padded = f"^{word}$"
    trigrams = [padded[at : at + 3] for at in range(len(padded) - 2)]
    share = TRIGRAM_WEIGHT / math.sqrt(len(trigrams)) if trigrams else 0.0
    return (
        (_hash(f"w:{stem(word)}"), STEM_WEIGHT),
        *((_hash(f"t:{trigram}"), share) for trigram in trigrams),
    )


@lru_cache(maxsize=65536)
def _hash(feature: str) -> int:
    data = feature.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


def as_base64(vector: list[float]) -> str:
    """A vector as the OpenAI client asks for it: little-endian 32-bit floats in Base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
