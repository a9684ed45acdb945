"""The logical databases of one Redis, given out in blocks to stacks that share it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import IO, Any

from stackproof.errors import ConfigError, StackproofError

SECONDS = 10.0

Command = Sequence[str | bytes]

FORBIDDEN = ("flushall", "swapdb")
"""Commands that reach the logical databases of others."""


class RedisSlots:
    """Gives out blocks of logical databases, each with the keys that the first block has.

    The first block is nobody's. From now on the server refuses FLUSHALL and SWAPDB (Redis
    documentation, "ACL").

    Args:
        service: Name of the service, for errors.
        address: Host and port of the server.
        width: Logical databases that a stack uses.
        password: What a client has to say first; empty where it is not asked.

    Raises:
        ConfigError: If the server has too few logical databases.
        StackproofError: If it can't do what is needed, or does not answer.
    """

    def __init__(
        self, service: str, address: tuple[str, int], *, width: int, password: str = ""
    ) -> None:
        self.service = service
        self.width = width
        self._address = address
        self._password = password
        self._lock = threading.Lock()
        _, databases, *found = self._ask(
            ("ACL", "SETUSER", "default", *(f"-{command}" for command in FORBIDDEN)),
            ("CONFIG", "GET", "databases"),
            *self._each(0, lambda _: [("KEYS", "*")]),
        )
        self._keys = found[1::2]
        count = int(databases[1])
        self._free = list(range(width, count - width + 1, width))
        if not self._free:
            raise ConfigError(
                f"{service} can't be shared: the stack uses {width} logical databases",
                key="isolation.shared",
                observed=f"the server has {count}",
                remedy=f"start it with more (`--databases`), or remove {service}",
            )

    def take(self) -> int | None:
        """The first logical database of a block; None where all are taken."""
        with self._lock:
            if not self._free:
                return None
            first = self._free.pop(0)
        self._ask(*self._each(first, lambda _: [("FLUSHDB",)]), *self._each(0, self._copies(first)))
        return first

    def _copies(self, first: int) -> Callable[[int], list[Command]]:
        return lambda index: [
            ("COPY", key, key, "DB", str(first + index)) for key in self._keys[index]
        ]

    def give_back(self, first: int) -> None:
        """Empty a block and let others have it."""
        self._ask(*self._each(first, lambda _: [("FLUSHDB",)]))
        with self._lock:
            self._free.append(first)

    def _each(self, first: int, commands: Callable[[int], list[Command]]) -> list[Command]:
        """Commands for each logical database of a block, which is selected before them."""
        found: list[Command] = []
        for index in range(self.width):
            found += [("SELECT", str(first + index)), *commands(index)]
        return found

    def _ask(self, *commands: Command) -> list[Any]:
        """Send commands at once and read an answer to each (Redis documentation, "RESP").

        Raises:
            StackproofError: If one is refused, or the server does not answer.
        """
        login: list[Command] = [("AUTH", self._password)] if self._password else []
        sent = [*login, *commands]
        try:
            with closing(socket.create_connection(self._address, SECONDS)) as link:
                link.sendall(b"".join(_encoded(command) for command in sent))
                with link.makefile("rb") as answers:
                    return [_answer(answers) for _ in sent][len(login) :]
        except (OSError, ValueError) as error:
            raise StackproofError(
                f"{self.service} can't be shared",
                observed=str(error),
                remedy=f"remove {self.service} from `isolation.shared` of the stack config",
            ) from None


def _encoded(words: Command) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode() if isinstance(word, str) else word
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _answer(answers: IO[bytes]) -> Any:
    """One answer: bytes, or a list of such.

    Raises:
        ValueError: If it is an error, with the server's words.
    """
    line = answers.readline()
    kind, rest = line[:1], line[1:].rstrip()
    if kind == b"$":
        size = int(rest)
        return answers.read(size + 2)[:-2] if size >= 0 else b""
    if kind == b"*":
        return [_answer(answers) for _ in range(int(rest))]
    if kind == b"-" or not kind:
        raise ValueError(rest.decode(errors="replace") or "the connection was closed")
    return rest
