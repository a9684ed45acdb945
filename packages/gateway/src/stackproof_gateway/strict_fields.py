"""Objects that people write: read strictly, with the line of whatever is wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

Lines = dict[tuple[str | int, ...], int]
"""Lines of a file by the path of what stands there."""

_NUMBER = (int, float)


class ScriptError(Exception):
    """A file or a script that a person wrote is wrong.

    Args:
        message: What is wrong.
        where: File and line, or the script.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(f"{where}: {message}")


class Fields:
    """The fields of one object of a script; whoever reads one takes it, and none may be left.

    Args:
        value: The object.
        path: Where it stands.
        lines: Lines of the file.
        source: Name of the file, or of what holds the script.
    """

    def __init__(self, value: Any, path: tuple[str | int, ...], lines: Lines, source: str) -> None:
        self.path, self.lines, self.source = path, lines, source
        self._asked: list[str] = []
        if not isinstance(value, dict):
            raise self.error("expected keys and values")
        self._value = {str(key): item for key, item in value.items()}

    def error(self, message: str, key: str | int | None = None) -> ScriptError:
        """What is wrong, with where it stands."""
        path = self.path if key is None else (*self.path, key)
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
        line = self.lines.get(path) or self.lines.get(self.path)
        where = f"{self.source}, line {line}" if line else self.source
        return ScriptError(message, f"{where}{': ' if dotted else ''}{dotted.lstrip('.')}")

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def has(self, key: str) -> bool:
        """Whether a key is there."""
        return key in self._value

    def take(self, key: str, kinds: type | tuple[type, ...], wanted: str) -> Any:
        """A value of the given type; None where there is none."""
        self._asked.append(key)
        value = self._value.get(key)
        if value is None:
            return None
        wrong = isinstance(value, bool) and kinds is not bool and kinds is not object
        if wrong or not isinstance(value, kinds):
            raise self.error(f"expected {wanted}, but got {value!r}", key)
        return value

    def count(self, key: str, lowest: int = 1) -> int | None:
        """A whole number; None where there is none."""
        value: int | None = self.take(key, int, "a whole number")
        if value is not None and value < lowest:
            raise self.error(f"expected a number from {lowest}, but got {value}", key)
        return value

    def seconds(self, key: str) -> float:
        """Seconds; 0 where there are none."""
        return float(self._amount(key, "seconds"))

    def dollars(self, key: str) -> Decimal:
        """US dollars; 0 where the key is missing, but not where it stands there without a value."""
        if key in self._value and self._value[key] is None:
            raise self.error("expected US dollars, but got nothing", key)
        return Decimal(str(self._amount(key, "US dollars")))

    def _amount(self, key: str, unit: str) -> float:
        value: float | None = self.take(key, _NUMBER, unit)
        if value is not None and not 0 <= value < math.inf:
            raise self.error(f"expected {unit}, but got {value}", key)
        return value or 0

    def below(self, key: str) -> Fields:
        """An object in it."""
        self._asked.append(key)
        value = self._value.get(key)
        return Fields({} if value is None else value, (*self.path, key), self.lines, self.source)

    def each(self, key: str) -> list[Fields]:
        """Objects of a list in it."""
        values = self.take(key, list, "a list") or []
        return [
            Fields(item, (*self.path, key, at), self.lines, self.source)
            for at, item in enumerate(values)
        ]

    def finish(self) -> None:
        """Refuse what nobody has asked for."""
        for key in self._value:
            if key not in self._asked:
                near = difflib.get_close_matches(key, self._asked, 1)
                hint = f"; did you mean `{near[0]}`? Known" if near else "; known"
                known = ", ".join(sorted(set(self._asked)))
                raise self.error(f"unknown key `{key}`{hint}: {known}", key)
