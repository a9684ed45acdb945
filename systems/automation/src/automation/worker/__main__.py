"""The worker: `python -m automation.worker`."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid

from automation import broker, service
from automation.broker import Body, Consumer
from automation.database import AWAY, patiently, transaction, wait_for_tables
from automation.environments import environment_of
from automation.records import EXECUTIONS
from automation.settings import settings
from automation.worker import claims
from automation.worker.claims import Claim
from automation.worker.programs import Ending, Program, failed

log = logging.getLogger(__name__)

LAST_ACTIONS = 3.0
"""Seconds that actions have to end by themselves after SIGTERM."""
SHORT = 0.05


class Worker:
    """Takes executions from its own queue, as many at once as it has slots."""

    def __init__(self) -> None:
        self._life = uuid.uuid4().hex
        self._programs: dict[int, Program] = {}
        self._taken: set[int] = set()
        self._is_ending = False

    async def run(self) -> None:
        """Work until SIGTERM."""
        await patiently(claims.enlist, self._life)
        name = settings().name
        consumers = [
            Consumer(
                f"worker.{name}",
                self._work,
                at_once=settings().slots,
                bind=(EXECUTIONS, f"worker.{name}"),
                ttl=settings().queue_ttl,
            ),
            Consumer(f"worker.{name}.control", self._cancel, bind=(EXECUTIONS, f"control.{name}")),
        ]
        await service.run([broker.consume(consumers, self._ready), self._beat()], self._end)

    async def _ready(self) -> None:
        log.info("worker %s is ready", settings().name)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(settings().heartbeat)
            if self._is_ending:
                continue
            try:
                async with transaction() as session:
                    is_mine = await claims.beat(session, self._life, len(self._taken))
            except AWAY as error:
                log.warning("no heartbeat, the database is away: %s", error.orig)
                continue
            if not is_mine:
                raise RuntimeError(f"another worker has the name {settings().name}")

    async def _work(self, body: Body) -> None:
        execution = body["execution"]
        if execution in self._taken or self._is_ending:
            return
        self._taken.add(execution)
        try:
            claim = await patiently(claims.claim, self._life, execution, body["turn"])
            if claim is None:
                log.info("execution %d is not to be begun here any more", execution)
            else:
                await self._execute(claim)
        finally:
            self._taken.discard(execution)

    async def _execute(self, claim: Claim) -> None:
        """Run an execution that is claimed, and end it, also where that fails unforeseen."""
        program = Program(claim)
        try:
            await self._write_end(claim, await self._run(claim, program))
        except Exception as error:
            log.exception("execution %d: the worker has failed", claim.execution)
            program.kill()
            message = f"{type(error).__name__}: the log of worker {settings().name} says more"
            await self._write_end(claim, failed("worker_failed", message))

    async def _run(self, claim: Claim, program: Program) -> Ending:
        self._programs[claim.execution] = program
        log.info("execution %d begins", claim.execution)
        begun = time.monotonic()
        try:
            if await patiently(claims.is_unwanted, claim.execution):
                program.cancel()
            ending = await program.run(environment_of)
        finally:
            del self._programs[claim.execution]
        took = time.monotonic() - begun
        log.info("execution %d: %s after %.2f s", claim.execution, ending.state, took)
        return ending

    async def _write_end(self, claim: Claim, ending: Ending) -> None:
        number = claim.execution
        if not await patiently(claims.end, self._life, number, ending.state, ending.result):
            log.warning("execution %d has ended without this worker", number)

    async def _cancel(self, body: Body) -> None:
        program = self._programs.get(body["execution"])
        if program is not None:
            program.cancel()

    async def _end(self) -> None:
        """Let actions end that are about to; the others are abandoned."""
        self._is_ending = True
        give_up = time.monotonic() + LAST_ACTIONS
        while self._programs and time.monotonic() < give_up:  # noqa: ASYNC110 - with an end
            await asyncio.sleep(SHORT)
        await patiently(claims.retire, self._life)
        for program in list(self._programs.values()):
            program.kill()


async def main() -> None:
    """Work until SIGTERM."""
    service.set_up_log()
    await wait_for_tables()
    await Worker().run()


if __name__ == "__main__":
    asyncio.run(main())
