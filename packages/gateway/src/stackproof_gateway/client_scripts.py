"""Scripts as a test writes them: which calls, and what they are answered with."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

Pattern = str | re.Pattern[str]
"""What a value must be like: as a script file has it, or an expression that is found in it."""

_FLAGS = {re.ASCII: "a", re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s", re.VERBOSE: "x"}


def written(pattern: Pattern | None) -> str | dict[str, str] | None:
    """A pattern as a script file has it."""
    if not isinstance(pattern, re.Pattern):
        return pattern
    flags = "".join(letter for flag, letter in _FLAGS.items() if pattern.flags & flag)
    return {"regex": pattern.pattern, **({"flags": flags} if flags else {})}


class When:
    """The calls that a script answers; made by `GatewayClient.when`.

    Args:
        tell: Sends something to the control API of the namespace.
        conditions: The `when` of a script file.
    """

    def __init__(self, tell: Callable[[str, Any], Any], conditions: dict[str, Any]) -> None:
        self._tell = tell
        self._conditions = conditions

    def reply(self, text: str | None = None, *, times: int | None = None, **fields: Any) -> str:
        """Answer each such call, or the first `times` of them.

        Args:
            text: What the model says.
            times: How many calls; None for all.
            **fields: `json`, `tool_calls`, `refusal`, `reasoning`, `built_in`, `error`, `delay`,
                `hold`, `cut_after` and the other keys of a reply in a script file.

        Returns:
            The script's name.

        Raises:
            ValueError: If a field is unknown or has a wrong value.
        """
        reply = {**fields, **({} if text is None else {"text": text})}
        return self._add({"reply": reply, **({} if times is None else {"times": times})})

    def replies(self, *replies: str | dict[str, Any]) -> str:
        """Answer such calls in turn, each reply once; after the last, others answer.

        Raises:
            ValueError: If a reply has an unknown field or a wrong value.
        """
        return self._add({"replies": list(replies)})

    def fail(self, status: int = 500, *, times: int | None = None, **error: Any) -> str:
        """Answer such calls with an error.

        Args:
            status: HTTP status.
            times: How many calls; None for all.
            **error: `message`, `type`, `code`, `retry_after`, `unit`.

        Raises:
            ValueError: If a field is unknown or has a wrong value.
        """
        return self.reply(times=times, error={"status": status, **error})

    def _add(self, script: dict[str, Any]) -> str:
        added = self._tell("scripts", {"when": self._conditions, **script})
        if added.get("warning"):
            warnings.warn(added["warning"], stacklevel=3)
        return str(added["name"])
