"""Lines that log probes wait for."""

import asyncio

from stackproof.engines.process.awaited_lines import AwaitedLines
from stackproof.engines.process.capture import LogFile
from stackproof.redaction import Redactor

BOUND = 30.0


def awaited(tmp_path):
    log = LogFile(tmp_path / "worker.log", Redactor(()))
    return log, AwaitedLines(log)


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
        await asyncio.wait_for(pause, BOUND)

    asyncio.run(write_in_the_pause())
    assert lines.has("ready")


def test_a_line_of_an_earlier_start_does_not_count(tmp_path):
    log, lines = awaited(tmp_path)
    log.write("out", ["celery@vm ready."])
    assert lines.has("ready")

    lines.forget()

    assert not lines.has("ready")
