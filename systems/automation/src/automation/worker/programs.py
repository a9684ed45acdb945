"""Runs one program: JSON on standard input, JSON on standard output."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.environments import Environment, EnvironmentFailedError
from automation.settings import settings
from automation.states import ExecutionState
from automation.worker.claims import Claim

PR_SET_PDEATHSIG = 1
LARGEST_OUTPUT = 1024 * 1024
MASK = "********"

_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Ending:
    """How an execution has ended, and with what."""

    state: ExecutionState
    result: dict[str, Any]


def failed(kind: str, message: str, **more: Any) -> Ending:
    """An end with an error."""
    error = {"type": kind, "message": message, **more}
    return Ending(ExecutionState.FAILED, {"error": error})


def die_with_worker() -> None:
    """Let the kernel end a program whose worker was killed; it is done again elsewhere."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A program that can be told to stop."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._process: Process | None = None
        self._is_cancelled = False

    def cancel(self) -> None:
        """End it, begun or not."""
        self._is_cancelled = True
        self.kill()

    async def run(self, prepare: Callable[[str], Awaitable[Environment]]) -> Ending:
        """Run it to its end, and never longer than it may take."""
        try:
            environment = await prepare(self._claim.pack_ref)
        except EnvironmentFailedError as error:
            return failed("environment_failed", str(error))
        if self._is_cancelled:
            return Ending(ExecutionState.CANCELLED, {})
        told = json.dumps({**self._claim.told, "secrets": self._claim.secrets}).encode()
        try:
            async with asyncio.timeout(self._claim.timeout):
                self._process = await self._start(environment)
                if self._is_cancelled:  # while it was started
                    self.kill()
                output, errors = await self._process.communicate(told)
        except TimeoutError:
            self.kill()
            if self._process is not None:
                await self._process.wait()
            message = f"the action took more than {self._claim.timeout:g} s"
            result = {"error": {"type": "timeout", "message": message}}
            return Ending(ExecutionState.TIMEOUT, result)
        except OSError as error:
            return failed("not_started", str(error))
        self.kill()  # what it has left behind
        return self._ending(self._process.returncode, output, errors)

    async def _start(self, environment: Environment) -> Process:
        folder = settings().artifacts / str(self._claim.execution)
        folder.mkdir(parents=True, exist_ok=True)
        return await asyncio.create_subprocess_exec(
            environment.python,
            environment.folder / self._claim.entry_point,
            cwd=folder,
            env={
                "HOME": str(folder),
                "LANG": "C.UTF-8",
                "PATH": f"{environment.python.parent}:/usr/local/bin:/usr/bin:/bin",
                **self._claim.env_vars,
            },
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            preexec_fn=die_with_worker,
        )

    def kill(self) -> None:
        """End it, with all that it has started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _ending(self, status: int | None, output: bytes, errors: bytes) -> Ending:
        written, wrong = self._masked(output), self._masked(errors)
        _keep(settings().logs / f"{self._claim.execution}.log", wrong)
        if self._is_cancelled:
            return Ending(ExecutionState.CANCELLED, {})
        if status != 0:
            last = (wrong.strip() or f"it ended with status {status}").splitlines()[-1]
            return failed("action_failed", last, exit_code=status)
        if len(output) > LARGEST_OUTPUT:
            return failed("output_too_large", f"more than {LARGEST_OUTPUT} bytes")
        try:
            result = json.loads(written)
        except ValueError as error:
            return failed("not_json", f"standard output is no JSON: {error}")
        if not isinstance(result, dict):
            return failed("not_json", "standard output is no JSON object")
        return Ending(ExecutionState.COMPLETED, result)

    def _masked(self, written: bytes) -> str:
        text = written.decode(errors="replace")
        for secret in self._claim.secrets.values():
            for form in {secret, json.dumps(secret)[1:-1]}:
                text = text.replace(form, MASK)
        return text


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
