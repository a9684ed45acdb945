"""Embeddings without a model: signed hashing of words and character trigrams, the same each time.

Related texts come out closer than unrelated ones, since they share words and parts of words.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from collections.abc import Iterator
from functools import lru_cache

DEFAULT_DIMENSIONS = 256
MOST_DIMENSIONS = 4096

WORD_WEIGHT = 1.0
TRIGRAM_WEIGHT = 0.4

_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int) -> list[float]:
    """The embedding of a text, of length 1.

    Args:
        text: The text.
        dimensions: How many numbers.
    """
    vector = [0.0] * dimensions
    for feature, weight in _features(text.lower()):
        number = _hash(feature)
        sign = 1.0 if number & 1 else -1.0
        vector[(number >> 1) % dimensions] += sign * weight
    length = math.sqrt(sum(value * value for value in vector))
    if length == 0.0:
        vector[0], length = 1.0, 1.0
    return [value / length for value in vector]


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text):
        yield f"w:{word}", WORD_WEIGHT
        padded = f"^{word}$"
        for at in range(len(padded) - 2):
            yield f"t:{padded[at : at + 3]}", TRIGRAM_WEIGHT


@lru_cache(maxsize=65536)
def _hash(feature: str) -> int:
    return int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")


def as_base64(vector: list[float]) -> str:
    """A vector as the OpenAI client asks for it: little-endian 32-bit floats in Base64."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
