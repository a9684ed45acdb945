"""Lines that log probes wait for."""

import asyncio

import pytest

from stackproof.engines.process.awaited_lines import AwaitedLines
from stackproof.engines.process.capture import LogFile
from stackproof_redaction import Redactor

BOUND = 30.0


def awaited(tmp_path):
    log = LogFile(tmp_path / "worker.log", Redactor(()))
    return log, AwaitedLines(log)


async def turns_of_the_loop(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_line_written_before_anybody_asked_is_found(tmp_path):
    log, lines = awaited(tmp_path)
    log.write("out", ["celery@vm ready."])

    assert lines.has("ready")
    assert not lines.has("stopped")


def test_a_pause_ends_when_the_awaited_line_is_written(tmp_path):
    log, lines = awaited(tmp_path)

    async def write_in_the_pause():
        assert not lines.has("ready")
        pause = asyncio.create_task(lines.pause(3600))
        await asyncio.sleep(0)
        log.write("out", ["celery@vm ready."])
        async with asyncio.timeout(BOUND):
            await pause

    asyncio.run(write_in_the_pause())
    assert lines.has("ready")


@pytest.mark.parametrize("turns", range(4))
def test_a_pause_that_is_cancelled_while_the_line_comes_does_not_begin_again(tmp_path, turns):
    log, lines = awaited(tmp_path)

    async def pause_again_and_again():
        while True:
            await lines.pause(3600)

    async def cancel_as_the_line_comes():
        assert not lines.has("ready")
        pausing = asyncio.create_task(pause_again_and_again())
        await turns_of_the_loop(3)
        log.write("out", ["celery@vm ready."])
        await turns_of_the_loop(turns)
        pausing.cancel()
        await asyncio.wait([pausing], timeout=1)
        return pausing.cancelled()

    assert asyncio.run(cancel_as_the_line_comes())


def test_a_line_of_an_earlier_start_does_not_count(tmp_path):
    log, lines = awaited(tmp_path)
    log.write("out", ["celery@vm ready."])
    assert lines.has("ready")

    lines.forget()

    assert not lines.has("ready")
