"""The logical databases of one Redis, given out in blocks to stacks that share it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import IO

from stackproof.errors import ConfigError, StackproofError

SECONDS = 10.0

FORBIDDEN = ("flushall", "swapdb")
"""Commands that reach the logical databases of others."""


class RedisSlots:
    """Gives out blocks of logical databases; the first block, which nobody gets, stays as it is.

    From now on FLUSHALL and SWAPDB are refused by the server (Redis documentation, "ACL").

    Args:
        service: Name of the service, for errors.
        address: Host and port of the server.
        width: Logical databases that a stack uses.
        password: What a client has to say first; empty where it is not asked.

    Raises:
        ConfigError: If the server can't be divided.
    """

    def __init__(
        self, service: str, address: tuple[str, int], *, width: int, password: str = ""
    ) -> None:
        self.service = service
        self.width = width
        self._address = address
        self._password = password
        self._lock = threading.Lock()
        keyspace, databases, _ = self._ask(
            ("INFO", "keyspace"),
            ("CONFIG", "GET", "databases"),
            ("ACL", "SETUSER", "default", *(f"-{one}" for one in FORBIDDEN)),
        )
        if b"db" in keyspace:
            raise ConfigError(
                f"{service} can't be shared: it has keys after migrate and seed",
                key="isolation.shared",
                observed=keyspace.decode().partition("\r\n")[2].strip(),
                remedy=f"remove {service}; unlike a database of PostgreSQL, keys are not cloned",
            )
        count = int(databases.split()[-1])
        self._free = list(range(width, count - width + 1, width))
        if not self._free:
            raise ConfigError(
                f"{service} can't be shared: the stack uses {width} logical databases",
                key="isolation.shared",
                observed=f"the server has {count}",
                remedy=f"start it with more (`--databases`), or remove {service}",
            )

    def take(self) -> int | None:
        """The first logical database of an empty block; None where all are taken."""
        with self._lock:
            if not self._free:
                return None
            first = self._free.pop(0)
        self._flush(first)
        return first

    def give_back(self, first: int) -> None:
        """Empty a block and let others have it."""
        self._flush(first)
        with self._lock:
            self._free.append(first)

    def _flush(self, first: int) -> None:
        numbers = range(first, first + self.width)
        self._ask(*(one for number in numbers for one in (("SELECT", str(number)), ("FLUSHDB",))))

    def _ask(self, *commands: Sequence[str]) -> list[bytes]:
        """Send commands at once and read an answer to each (Redis documentation, "RESP").

        Raises:
            StackproofError: If one is refused, or the server does not answer.
        """
        login = [("AUTH", self._password)] if self._password else []
        sent = [*login, *commands]
        try:
            with closing(socket.create_connection(self._address, SECONDS)) as link:
                link.sendall(b"".join(_encoded(one) for one in sent))
                with link.makefile("rb") as answers:
                    return [_answer(answers) for _ in sent][len(login) :]
        except (OSError, ValueError) as error:
            raise StackproofError(
                f"{self.service} does not do what sharing it needs",
                observed=str(error),
                remedy=f"remove {self.service} from `isolation.shared` of the stack config",
            ) from None


def _encoded(words: Sequence[str]) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    for word in words:
        data = word.encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(parts)


def _answer(answers: IO[bytes]) -> bytes:
    """One answer as bytes; those of an array are joined by spaces."""
    line = answers.readline()
    kind, rest = line[:1], line[1:].rstrip()
    if kind == b"$":
        size = int(rest)
        return answers.read(size + 2)[:-2] if size >= 0 else b""
    if kind == b"*":
        return b" ".join(_answer(answers) for _ in range(int(rest)))
    if kind == b"-" or not kind:
        raise ValueError(rest.decode(errors="replace") or "the connection was closed")
    return rest
