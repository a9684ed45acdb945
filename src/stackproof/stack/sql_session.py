"""A connection to a database server that is held open: its own `psql`, spoken to over pipes.

Starting `psql` for each statement costs more than most statements do; a driver would be one more
dependency, and would need the server's address, which an engine may keep inside a container.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import threading
from collections.abc import Callable

from stackproof.engines.base import Command, Streams
from stackproof.errors import CommandFailed
from stackproof.stack.running import Stack

MAINTENANCE_DATABASE = "postgres"
"""What initdb makes beside the templates; statements about whole databases are run from there."""

ANSWER_SECONDS = 120.0
CLOSE_SECONDS = 5.0

Execute = Callable[[Streams], int]
"""Runs the program connected to some streams until it ends, and gives its exit status."""


def open_session(stack: Stack, service: str) -> SqlSession:
    """A session of a database service's superuser in its maintenance database.

    Args:
        stack: The running stack.
        service: Name of its PostgreSQL service.
    """
    argv, environment = stack.psql_command(
        ["-Atq", "-v", "ON_ERROR_STOP=0"], service, database=MAINTENANCE_DATABASE
    )

    def execute(streams: Streams) -> int:
        return stack.running.execute(service, Command(argv, environment), streams)

    return SqlSession(service, execute)


class SqlSession:
    """Statements go in, rows come out, one after the other; may be used by one thread at a time.

    Args:
        service: Name of the database service, for errors.
        execute: Runs `psql -At`.
    """

    def __init__(self, service: str, execute: Execute) -> None:
        self.service = service
        self._received = b""
        given, self._input = os.pipe()
        self._output, told = os.pipe()
        self._thread = threading.Thread(
            target=_run, args=(execute, given, told), name="stackproof-psql", daemon=True
        )
        self._thread.start()

    def run(self, statement: str) -> list[str]:
        r"""Run one SQL statement.

        The end of its output is told by `\echo`, whether it has failed by `:ERROR` (PostgreSQL
        documentation, psql, "Variables").

        Args:
            statement: Without a semicolon.

        Returns:
            Its rows, columns separated by `|`.

        Raises:
            CommandFailed: With the server's message.
        """
        mark = secrets.token_hex(8)
        with contextlib.suppress(BrokenPipeError):  # what it has said before it ended is read below
            self._send(f"{statement};\n\\echo {mark} :ERROR\n".encode())
        output, _, failed = self._until(mark).rpartition(f"{mark} ")
        if failed != "false":
            raise CommandFailed(
                f"a statement failed in {self.service}", exit_code=1, output=output.strip()
            )
        return output.splitlines()

    def _send(self, data: bytes) -> None:
        """Give psql something to read, which it may not do any more."""
        os.set_blocking(self._input, False)
        while data:
            if not select.select([], [self._input], [], ANSWER_SECONDS)[1]:
                raise self._silent()
            data = data[os.write(self._input, data) :]

    def _until(self, mark: str) -> str:
        """All output up to the line of a mark, without the line's end."""
        while True:
            found = self._received.find(mark.encode())
            end = self._received.find(b"\n", found)
            if found >= 0 and end >= 0:
                text, self._received = self._received[:end], self._received[end + 1 :]
                return text.decode(errors="backslashreplace")
            readable, _, _ = select.select([self._output], [], [], ANSWER_SECONDS)
            if not readable:
                raise self._silent()
            data = os.read(self._output, 65536)
            if not data:
                raise self._ended()
            self._received += data

    def _silent(self) -> CommandFailed:
        return CommandFailed(
            f"{self.service} did not answer a statement for {ANSWER_SECONDS:g} s",
            exit_code=1,
            output=self._received.decode(errors="backslashreplace").strip(),
            remedy=f"`invoke status` shows whether {self.service} is stopped; its log may show "
            "what keeps it busy",
        )

    def _ended(self) -> CommandFailed:
        return CommandFailed(
            f"the connection to {self.service} was lost",
            exit_code=1,
            output=self._received.decode(errors="backslashreplace").strip(),
            remedy=f"read the log of {self.service}",
        )

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            os.close(self._input)
        self._thread.join(CLOSE_SECONDS)
        with contextlib.suppress(OSError):
            os.close(self._output)


def _run(execute: Execute, given: int, told: int) -> None:
    """Run psql; that its streams are closed tells the other side that it has ended."""
    try:
        execute(Streams(given, told, told))
    except Exception as error:  # noqa: BLE001 - whoever waits for an answer is told
        with contextlib.suppress(OSError):
            os.write(told, str(error).encode())
    finally:
        os.close(given)
        os.close(told)
