"""Durations and sizes as Compose writes them.

Source: the Compose Specification, "Specifying durations" and "Specifying byte values".
"""

from __future__ import annotations

import re

from stackproof.errors import ConfigError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0,
          "d": 86400.0}  # fmt: skip
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def parse_duration(text: str | float) -> float:
    """A duration such as `1m30s`, `500ms` or a number of seconds, in seconds.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(text, int | float) and not isinstance(text, bool) and text >= 0:
        return float(text)
    written = str(text).strip()
    if _NUMBER.fullmatch(written):
        return float(written)
    parts = _PART.findall(written)
    if not parts or "".join(number + unit for number, unit in parts) != written:
        raise ConfigError(
            f"{text!r} is not a duration", remedy="write it like 500ms, 10s, 1m30s or 2h"
        )
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def parse_size(text: str | int) -> int:
    """A size such as `512m`, `1.5g`, `64kb` or a number of bytes, in bytes (1k = 1024).

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    match = _SIZE.fullmatch(str(text).strip())
    if match is None or isinstance(text, bool):
        raise ConfigError(f"{text!r} is not a size", remedy="write it like 512m, 1g or 1048576")
    return int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])
