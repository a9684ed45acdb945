"""The clock is set forward or back while something runs: no line is lost."""

import itertools
import time
from types import SimpleNamespace

import pytest

from stackproof.engines import timestamps
from stackproof.engines.base import LogLine
from stackproof.engines.compose import running
from stackproof.engines.timestamps import Moment, timestamp

NOON = 1_800_000_000.0
HOUR = 3600.0


class Machine:
    """A machine whose clock can be set."""

    def __init__(self, monkeypatch):
        self.wall, self.uptime = NOON, 1000.0
        self.clock = clock = SimpleNamespace(
            time=lambda: self.wall, monotonic=lambda: self.uptime, sleep=self.pass_by,
            strftime=time.strftime, gmtime=time.gmtime,
        )  # fmt: skip
        monkeypatch.setattr(timestamps, "time", clock)
        monkeypatch.setattr(running, "time", clock)

    def pass_by(self, seconds):
        self.wall += seconds
        self.uptime += seconds

    def moment(self):
        return Moment(self.wall, self.uptime)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.mark.parametrize("jump", [-HOUR, -0.5, 0.0, 0.5, HOUR])
def test_the_slice_of_a_test_has_each_line_since_it_began_whatever_the_clock_says(machine, jump):
    began = machine.moment()
    machine.pass_by(1)
    before = timestamp()
    machine.wall += jump
    machine.pass_by(1)
    after = timestamp()
    machine.pass_by(1)
    assert began.earliest() <= min(before, after)


def test_without_a_jump_the_slice_begins_with_the_test(machine):
    began = machine.moment()
    machine.pass_by(60)
    assert began.earliest() == timestamp(NOON)


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_each_new_line_is_followed_once_though_the_clock_was_set(machine, monkeypatch, jump):
    """Lines are written while the follower sleeps; the clock is set in the third pause."""
    pauses, written = itertools.count(), []
    clock = machine.clock

    def sleep(seconds):
        number = next(pauses)
        machine.pass_by(seconds / 2)
        machine.wall += jump if number == 2 else 0.0
        written.append(LogLine(timestamp(), "web", "out", f"line {number}"))
        machine.pass_by(seconds / 2)

    clock.sleep = sleep
    monkeypatch.setattr(
        running, "Moment", lambda: Moment(machine.wall, machine.uptime), raising=True
    )
    followed = running.ComposeRunning.__new__(running.ComposeRunning)
    monkeypatch.setattr(
        followed,
        "logs",
        lambda _services, since="": [line for line in written if line.at >= since],
        raising=False,
    )
    is_there = SimpleNamespace(is_dir=lambda: len(written) < 8)
    followed.run_folder = SimpleNamespace(path=is_there)
    written.append(LogLine(timestamp(), "web", "out", "before"))
    machine.pass_by(1)
    told = [line.text for line in followed.follow()]
    assert told == [f"line {number}" for number in range(6)]
