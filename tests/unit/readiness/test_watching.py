"""The loop that waits for a service: how often it asks, and when it gives up."""

import asyncio

import pytest

from stackproof.readiness import watching
from stackproof.readiness.asking import Surroundings, ask
from stackproof.readiness.probes import (
    AliveProbe,
    AllProbes,
    CommandProbe,
    HealthTiming,
    LogProbe,
    SqlProbe,
    TcpProbe,
)
from stackproof.readiness.watching import HealthWatch

COMMAND = CommandProbe(("check",))


class Service:
    """Answers a probe's command with one status after the other, the last one for ever."""

    def __init__(self, *codes, seconds=1.0):
        self.codes = list(codes)
        self.pauses = []
        self.clock = 0.0
        self.seconds = seconds
        self.lines = ""

    async def run(self, _argv, _service):
        self.clock += self.seconds
        code = self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]
        return code, "bad"

    async def pause(self, seconds):
        self.pauses.append(seconds)

    def watch(self, probe=COMMAND, doubt=str, **timing):
        around = Surroundings(self.run, lambda text: text in self.lines, lambda: self.clock)
        return HealthWatch(probe, HealthTiming(**timing), around, self.pause, doubt)

    def health(self, watch, checks):
        async def collect():
            answers = watch.checks()
            return [await anext(answers) for _ in range(checks)]

        return asyncio.run(collect())


def test_a_starting_service_is_asked_until_it_answers_well():
    service = Service(1, 1, 0)
    watch = service.watch()
    assert service.health(watch, 3) == ["starting", "starting", "healthy"]
    assert (watch.answer, watch.asked_for) == ("", 3.0)


@pytest.mark.parametrize("turns", range(4))
def test_a_watch_that_is_cancelled_while_its_service_answers_asks_no_more(turns):
    service = Service(1)
    service.pause = lambda _: asyncio.sleep(3600)

    async def cancel_as_it_answers():
        answered = asyncio.Event()

        async def run(_argv, _service):
            await answered.wait()
            return 1, "bad"

        service.run = run
        watching_it = asyncio.create_task(collect(service.watch()))
        await turns_of_the_loop(4)
        answered.set()
        await turns_of_the_loop(turns)
        watching_it.cancel()
        await asyncio.wait([watching_it], timeout=1)
        return watching_it.cancelled()

    assert asyncio.run(cancel_as_it_answers())


async def collect(watch):
    return [health async for health in watch.checks()]


async def turns_of_the_loop(count):
    for _ in range(count):
        await asyncio.sleep(0)


def test_the_pauses_grow_up_to_the_start_interval_where_a_process_is_needed():
    service = Service(1)
    service.health(service.watch(start_interval=0.03), 5)
    assert service.pauses == pytest.approx([0.02, 0.026, 0.03, 0.03])


def test_what_needs_no_process_is_asked_more_often():
    service = Service(1)
    service.health(service.watch(LogProbe("ready"), start_interval=5.0), 12)
    assert max(service.pauses) == watching.LONGEST_WITHOUT_PROCESS


def test_a_command_among_several_probes_sets_the_pace():
    service = Service(1)
    service.health(service.watch(AllProbes((COMMAND, AliveProbe(0))), start_interval=0.5), 20)
    assert max(service.pauses) == 0.5


def test_a_service_is_unhealthy_when_its_start_period_and_its_retries_are_used_up():
    service = Service(1)
    watch = service.watch(start_period=1, interval=1, retries=2)
    assert service.health(watch, 4) == ["starting", "starting", "starting", "unhealthy"]
    assert "exit status 1: bad" in watch.answer


def test_a_line_that_has_yet_to_come_is_no_failed_check():
    service = Service(0, seconds=1000)
    probe = AllProbes((COMMAND, LogProbe("ready")))
    watch = service.watch(probe, interval=1, retries=1)
    assert service.health(watch, 3) == ["starting"] * 3
    service.lines = "ready"
    assert service.health(watch, 1) == ["healthy"]


def test_a_good_answer_that_is_a_strangers_does_not_count():
    service = Service(0)
    watch = service.watch(doubt=lambda: "a stranger answers")
    assert service.health(watch, 2) == ["starting", "starting"]
    assert watch.answer == "a stranger answers"


def test_a_healthy_service_is_unhealthy_after_as_many_failures_in_a_row_as_its_check_says():
    service = Service(0, 1, 0, 1, 1)
    watch = service.watch(interval=0, retries=2)
    assert service.health(watch, 5) == ["healthy"] * 4 + ["unhealthy"]


def test_a_check_that_gives_no_answer_in_its_time_has_failed():
    async def never(_argv, _service):
        await asyncio.Event().wait()

    service = Service(0)
    service.run = never
    watch = service.watch(timeout=0.01)
    assert service.health(watch, 1) == ["starting"]
    assert watch.answer == "no answer within 0.01 s"


def test_nobody_who_listens_is_said_in_words():
    service = Service(0)
    watch = service.watch(TcpProbe("127.0.0.1", 1))
    service.health(watch, 1)
    assert watch.answer == "connection refused: nobody listens there"


@pytest.mark.parametrize(
    ("code", "output", "answer"),
    [
        (0, "t\n", ""),
        (0, "worker-1|f\n", ""),
        (0, "3\n", ""),
        (0, "f\n", "the query gave 'f'"),
        (0, "0|9\n", "the query gave '0|9'"),
        (0, "", "the query gave no row"),
        (0, "\n", "the query gave no row"),
        (1, "ERROR:  no such table\nLINE 1", "the query failed: ERROR:  no such table"),
        (124, "", "the query failed: exit status 124"),
    ],
)  # fmt: skip
def test_a_query_shows_that_a_service_is_ready_by_its_first_row(code, output, answer):
    asked = []

    async def run(argv, service):
        asked.append((argv, service))
        return code, output

    around = Surroundings(run, None, None)
    assert asyncio.run(ask(SqlProbe("select 1", "db", ("psql",)), around)) == answer
    assert asked == [(("psql",), "db")]


def test_a_command_is_run_as_the_service_itself():
    asked = []

    async def run(argv, service):
        asked.append((argv, service))
        return 0, ""

    assert asyncio.run(ask(COMMAND, Surroundings(run, None, None))) == ""
    assert asked == [(("check",), "")]
