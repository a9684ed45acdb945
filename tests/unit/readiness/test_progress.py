"""What is told while services are waited for."""

from stackproof.readiness.progress import Awaited, Progress

WEB = Awaited("web", has_begun=False, doing="waits for db")
DB = Awaited("db", has_begun=True, doing="Traceback\n  line\nrefused\n")


class Told:
    def __init__(self, seconds=60.0):
        self.clock = 100.0
        self.lines = []
        self.progress = Progress(self.lines.append, seconds, now=lambda: self.clock)

    def look(self, *services, after=0.0):
        self.clock += after
        return self.progress.overdue(services)


def test_what_is_waited_for_is_said_with_the_last_line_of_each_answer():
    told = Told()
    assert told.look(WEB, DB, after=1.25) is None
    assert told.lines == ["   1.2 s  waiting for web (waits for db); db (refused)"]


def test_the_same_is_not_said_twice_within_four_seconds_and_is_said_again_after_them():
    told = Told()
    told.look(DB)
    told.look(DB, after=3.9)
    assert len(told.lines) == 1
    told.look(DB, after=0.1)
    assert told.lines[1] == "   4.0 s  waiting for db (refused)"


def test_something_else_is_said_at_once():
    told = Told()
    told.look(WEB, DB)
    told.look(WEB)
    assert [line[9:] for line in told.lines] == [
        " waiting for web (waits for db); db (refused)",
        " waiting for web (waits for db)",
    ]


def test_nothing_is_said_of_nobody():
    told = Told(seconds=1)
    assert told.look(after=10) is None
    assert told.lines == []


def test_when_the_time_is_up_the_one_that_runs_is_to_blame_and_not_the_one_that_waits_for_it():
    told = Told(seconds=10)
    assert told.look(WEB, DB, after=10.1) == DB
    assert told.look(WEB) == WEB
