"""What a plain YAML scalar stands for, and how Compose prints it where a text is wanted.

Sources: go-yaml v3, `resolve.go` (the table of words, underscores in numbers, octal as 017 and
0o17, dates); Go, `strconv.FormatFloat` with the format g, and `time.Time.String`.
"""

from __future__ import annotations

import math
import re
from datetime import datetime
from decimal import Decimal

LONGEST_NUMBER = 40
"""Characters of a number or a date; what is longer is a text, such as a hash."""

_WORDS: dict[str, bool | float] = {word: word.lower() == "true" for word in
             ("true", "True", "TRUE", "false", "False", "FALSE")}  # fmt: skip
_NULLS = {"", "~", "null", "Null", "NULL"}
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_WORDS |= {
    f"{sign}{word}": -math.inf if sign == "-" else math.inf
    for sign in ("", "+", "-")
    for word in (".inf", ".Inf", ".INF")
}
_INTEGER = re.compile(r"[-+]?(0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)"
                   r"(?:(?P<between>[Tt ])(?P<hour>\d\d?):(?P<minute>\d\d?):(?P<second>\d\d?)"
                   r"(?P<fraction>\.\d{1,9})?(?P<zone>Z|[+-]\d\d:\d\d)?)?")  # fmt: skip
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)
_LEAST_EXPONENT, _FIRST_EXPONENT = -4, 6
"""Outside of these powers of ten Go writes an exponent."""


def plain_value(text: str) -> bool | int | float | str | None:
    """What a plain scalar stands for; a date is its text as Go prints it."""
    if text in _NULLS:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > LONGEST_NUMBER:
        return text
    number = _number(text.replace("_", "") if text[0] != "." else text)
    if number is not None:
        return number
    return _date(text) or text


def _number(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        whole = _integer(text)
        return whole if _SMALLEST <= whole <= _LARGEST else float(whole)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return None


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lower()
    if digits.startswith(("0x", "0b", "0o")):
        return sign * int(digits, 0)
    if digits.startswith("0") and digits != "0":
        return sign * int(digits, 8)
    return sign * int(digits)


def _date(text: str) -> str | None:
    match = _DATE.fullmatch(text)
    if match is None or (match["hour"] and (match["between"] == " ") == bool(match["zone"])):
        return None
    numbers = [int(match[name] or 0) for name in
               ("year", "month", "day", "hour", "minute", "second")]  # fmt: skip
    try:
        moment = datetime(*numbers)  # type: ignore[arg-type] # noqa: DTZ001 - six numbers; it is printed, and the zone with it
    except ValueError:
        return None
    fraction = (match["fraction"] or "").rstrip("0").rstrip(".")
    zone = match["zone"] or "Z"
    offset = "+0000 UTC" if zone in {"Z", "+00:00"} else " ".join([zone.replace(":", "")] * 2)
    return f"{moment:%Y-%m-%d %H:%M:%S}{fraction} {offset}"


def scalar_text(value: object) -> str:
    """A scalar as Compose prints it where a text is wanted."""
    if isinstance(value, bool):
        return str(value).lower()
    return float_text(value) if isinstance(value, float) else str(value)


def float_text(value: float) -> str:
    """A number as Go prints it: the fewest digits, an exponent from a million up."""
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    if _LEAST_EXPONENT <= exponent < _FIRST_EXPONENT or not math.isfinite(value):
        return f"{Decimal(repr(value)).normalize():f}"
    written = "".join(map(str, digits))
    mantissa = f"{written[0]}.{written[1:]}" if len(written) > 1 else written
    return f"{'-' if sign else ''}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
