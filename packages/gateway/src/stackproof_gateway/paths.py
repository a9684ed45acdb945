"""Which paths a gateway reads: each in one form only, so that nobody after it reads another one.

A path is decoded once. What would need a second decoding, or would be shortened by a client or
server behind the gateway, is refused: dot segments (RFC 3986, section 5.2.4), empty segments,
backslashes, letters that some servers fold into those (Unicode's NFKC), and bytes that are not
UTF-8.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote_to_bytes

_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~:@=+,-][A-Za-z0-9_.~:@=+,-]*)+/?|/")
"""Paths without anything to decode or to shorten; nearly all are such ones."""


@lru_cache  # the same few paths come again and again
def clean_path(raw: bytes) -> str:
    """A path of a request, decoded.

    Args:
        raw: The path as it was sent, without its query.

    Raises:
        ValueError: If it could be read in two ways; says which part of it.
    """
    if _PLAIN.fullmatch(raw):
        return raw.decode("ascii")
    try:
        path = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    folded = unicodedata.normalize("NFKC", path)
    if not folded.startswith("/"):
        raise ValueError("it does not begin with /")
    if "%" in folded:
        raise ValueError("it is encoded twice")
    if "\\" in folded:
        raise ValueError("it has a backslash")
    if not folded.isprintable():
        raise ValueError("it has a control character")
    segments = folded[1:].split("/")
    if "" in segments[:-1]:
        raise ValueError("it has an empty segment")
    if any(_is_dots(segment) for segment in segments):
        raise ValueError("it has a dot segment")
    return path


def _is_dots(segment: str) -> bool:
    """Whether a segment is `.` or `..`, also with spaces or path parameters (`..;a=b`)."""
    name = segment.partition(";")[0]
    return bool(segment) and not name.strip(". ")
