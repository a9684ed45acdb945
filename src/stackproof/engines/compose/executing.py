"""Running commands in containers by `docker exec`, and ending them when their time is up."""

from __future__ import annotations

import contextlib
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from threading import Timer
from typing import IO

from docker.errors import APIError

from stackproof.engines.base import Command, Streams
from stackproof.engines.compose.containers import Containers
from stackproof.errors import WaitTimeout

MARK = "STACKPROOF_EXEC"

_END = (
    'for p in /proc/[0-9]*; do grep -qz "^$1$" "$p/environ" 2>/dev/null '
    '&& kill -KILL "${p#/proc/}" 2>/dev/null; done; :'
)
"""Ends what carries a mark, inside the container: the docker command's own death ends nothing."""


class Executing:
    """Runs commands in the containers of one run.

    Args:
        containers: The containers.
        environment: The environment of the docker command.
    """

    def __init__(self, containers: Containers, environment: Mapping[str, str]) -> None:
        self.containers = containers
        self.environment = environment

    @contextlib.contextmanager
    def command(
        self, service: str, command: Command, streams: Streams, options: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command; leaving the block waits for its end, or ends it.

        Args:
            service: In whose container.
            command: What to run; values of variables never stand on a command line.
            streams: What it is connected to.
            options: Further options of `docker exec`.

        Raises:
            WaitTimeout: If it was ended because of the time-out.
        """
        container = self.containers.id_of(service)
        mark = uuid.uuid4().hex
        process = self._begin(container, command, streams, options, mark)
        late: list[bool] = []

        def end() -> None:
            late.append(True)
            self._end(container, mark)
            process.kill()

        timer = Timer(command.timeout or 0.0, end)
        if command.timeout is not None:
            timer.start()
        try:
            yield process
            process.wait()
        except BaseException:
            self._end(container, mark)
            process.kill()
            process.wait()
            raise
        finally:
            timer.cancel()
            _close(process.stdout)
        if late:
            raise WaitTimeout(f"{command} in {service}", waited=command.timeout or 0.0)

    def _begin(
        self, container: str, command: Command, streams: Streams, options: Sequence[str], mark: str
    ) -> subprocess.Popen[bytes]:
        given = {**command.environment, MARK: mark}
        names = [part for name in given for part in ("--env", name)]
        return subprocess.Popen(
            ["docker", "exec", *options, *names, container, *command.argv],
            stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr,
            env={**self.environment, **given},
        )  # fmt: skip

    def _end(self, container: str, mark: str) -> None:
        api = self.containers.client.api
        with contextlib.suppress(APIError):
            made = api.exec_create(container, ["sh", "-c", _END, "sh", f"{MARK}={mark}"], user="0")
            api.exec_start(made["Id"])


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()
