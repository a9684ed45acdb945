"""Durations and sizes as Compose writes them.

Source: the Compose Specification, "Specifying durations" and "Specifying byte values".
"""

from __future__ import annotations

import math
import re

from stackproof.errors import ConfigError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
          "d": 86400.0}  # fmt: skip
_PART = re.compile(r"(?<![\d.])(\d++(?:\.\d*+)?|\.\d++)(ns|us|µs|ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_GO_DURATION = re.compile(r"0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))+")

LONGEST_SHOWN = 60
"""Characters of a wrong value that an error shows."""

MOST_DIGITS = 18
"""Digits of a whole number that a person writes: what fits 64 bits for certain."""

LARGEST_SIZE = 2**63 - 1
"""Bytes that the kernel can count."""


def whole_number(text: str) -> int | None:
    """What a text of digits stands for; None where it is none, or none that anything can have.

    Python itself raises for more than 4,300 digits.
    """
    return int(text) if len(text) <= MOST_DIGITS and text.isdecimal() else None


def unusable_letter(text: str) -> str:
    """What no program, path or variable can have, in words; empty where a text has none of it."""
    if "\0" in text:
        return "a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "a character that is not Unicode"
    return ""


def parse_duration(text: str | float) -> float:
    """A duration such as `1m30s`, `500ms` or a number of seconds, in seconds.

    Raises:
        ConfigError: If it is none.
    """
    seconds = _seconds(text)
    if seconds is None or not 0 <= seconds < math.inf:
        raise ConfigError(
            f"{shown(text)} is not a duration", remedy="write it like 500ms, 10s, 1m30s or 2h"
        )
    return seconds


def go_duration(text: str | float) -> float:
    """Seconds; each number of a text needs its unit, as in Go's `time.ParseDuration`.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(text, str) and not _GO_DURATION.fullmatch(text):
        raise ConfigError(
            f"{shown(text)} is not a duration", remedy="write it like 500ms, 10s, 1m30s"
        )
    return parse_duration(text)


def _seconds(text: object) -> float | None:
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text) if text <= LARGEST_SIZE else None
    written = str(text).strip()
    if _NUMBER.fullmatch(written):
        return float(written)
    parts = _PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_size(text: str | float) -> int:
    """A size such as `512m`, `1.5g`, `64kb` or a number of bytes, in bytes (1k = 1024).

    Raises:
        ConfigError: If it is none.
    """
    size = _bytes(text)
    if size is None or not 0 <= size <= LARGEST_SIZE:
        raise ConfigError(
            f"{shown(text)} is not a size", remedy="write it like 512m, 1g or 1048576"
        )
    return int(size)


def _bytes(text: object) -> float | None:
    if isinstance(text, int):
        return None if isinstance(text, bool) else text
    match = _SIZE.fullmatch(str(text).strip())
    return None if match is None else float(match[1]) * 1024 ** _POWERS[match[2].lower()]


def shown(value: object) -> str:
    """A value as an error shows it; Python can't write a whole number of more than 4,300 digits."""
    if isinstance(value, int) and abs(value) > LARGEST_SIZE:
        return "a number of more than 64 bits"
    return repr(value) if len(str(value)) <= LONGEST_SHOWN else f"{str(value)[:LONGEST_SHOWN]!r}…"
