"""A supervisor that does not answer: every question ends, and says why."""

import re
import signal
import socket
import threading
import time

import pytest

from stackproof.engines.base import Command, Streams
from stackproof.engines.process.control import Control
from stackproof.engines.process.engine import ProcessEngine
from stackproof.engines.process.questions import Patience
from stackproof.errors import NoAnswer
from stackproof.reaper import takedown
from stackproof.reaper.daemon import ORDERLY_SECONDS
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

READY = "print('ready', flush=True)\nimport time\ntime.sleep(600)\n"
SHORT = Patience(stopped=0.2, running=60.0)
SHORT_FOR_ALL = Patience(stopped=0.1, running=0.3)


@pytest.fixture
def frozen(rig):
    """A supervisor that is stopped as by `kill -STOP`."""
    supervisor = read_run(rig.run.path).supervisor

    def freeze():
        supervisor.kill(signal.SIGSTOP)
        wait_until(supervisor.is_stopped, timeout=20, what="it is stopped")
        return supervisor

    rig.control.questions.patience = SHORT
    yield freeze
    supervisor.kill(signal.SIGCONT)


def nothing():
    return Streams(0, 1, 2)


QUESTIONS = {
    "status": lambda control: control.status(),
    "notices": lambda control: control.notices(),
    "wait": lambda control: control.wait_ready(600, lambda _: None),
    "stop": lambda control: control.control("stop", ["api"]),
    "signal": lambda control: control.control("kill", ["api"], signal="SIGTERM"),
    "run": lambda control: control.run("migrate", Command(["/bin/true"]), service="api"),
    "execute": lambda control: control.execute("api", Command(["/bin/true"]), nothing()),
    "shutdown": lambda control: control.shut_down(600),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_to_a_frozen_supervisor_ends_and_says_what_to_do(rig, frozen, question):
    rig.start(rig.ready_spec("api", READY))
    process = frozen()
    with pytest.raises(NoAnswer) as raised:
        QUESTIONS[question](rig.control)
    assert f"process {process.pid} is stopped (state T in /proc)" in str(raised.value)
    assert f"`kill -CONT {process.pid}` lets it go on" in str(raised.value)


def test_a_supervisor_that_is_frozen_while_a_command_runs_is_noticed(rig, frozen):
    failed = []

    def run():
        try:
            mark = {"STACKPROOF_SERVICE": "rig-e2e/long"}
            rig.control.run("long", Command(["/bin/sleep", "600"], mark), cwd="/")
        except NoAnswer as error:
            failed.append(error)

    asking = threading.Thread(target=run)
    asking.start()
    wait_until(lambda: rig.processes("long"), timeout=20, what="the command runs")
    frozen()
    asking.join(20)
    assert len(failed) == 1


def test_a_frozen_supervisor_with_a_full_queue_of_questions_is_noticed(rig, frozen):
    frozen()
    waiting = []
    try:
        for _ in range(200):
            link = socket.socket(socket.AF_UNIX)
            link.settimeout(0)
            waiting.append(link)
            link.connect(str(rig.run.control_socket))
    except BlockingIOError:
        pass
    with pytest.raises(NoAnswer):
        rig.control.status()
    for link in waiting:
        link.close()


def test_a_request_that_does_not_fit_into_the_socket_is_given_up_as_well(rig, frozen):
    frozen()
    with pytest.raises(NoAnswer):
        rig.control.configure(["x" * (4 << 20)])


def test_a_long_command_of_a_supervisor_that_answers_is_waited_for(rig):
    rig.control.questions.patience = Patience(stopped=0.05, running=5.0)
    done = rig.control.run("long", Command(["/bin/sleep", "0.5"], {"A": "b"}), cwd="/")
    assert done.exit_code == 0


def test_a_supervisor_that_runs_but_keeps_silent_is_given_up_after_longer(tmp_path):
    run = RunFolder(tmp_path, "x-e2e")
    run.path.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(run.control_socket))
        listener.listen(8)
        control = Control(run)
        control.questions.patience = SHORT_FOR_ALL
        with pytest.raises(NoAnswer, match="does not answer"):
            control.status()


def test_down_ends_a_frozen_supervisor_by_force_and_says_so(rig, frozen, tmp_path):
    rig.start(rig.ready_spec("api", READY))
    frozen()
    said, began = [], time.monotonic()
    ProcessEngine({}, tmp_path).shut_down(rig.run, 60.0, said.append)
    (line,) = said
    words = r"the supervisor of rig-e2e did not answer for \d+ s; ended it by force"
    assert re.fullmatch(words, line)
    assert not rig.run.path.exists()
    assert rig.processes("api") == []
    assert time.monotonic() - began < 60.0  # it has not waited for what the services would get


def freeze(process):
    process.kill(signal.SIGSTOP)
    wait_until(process.is_stopped, timeout=20, what="it is stopped")
    return process


def test_down_lets_a_frozen_reaper_go_on_and_do_its_work(rig, tmp_path, monkeypatch):
    monkeypatch.setattr(takedown, "take_down", lambda *_, **__: pytest.fail("it had to be forced"))
    rig.start(rig.ready_spec("api", READY))
    reaper = freeze(rig.lease.reaper)
    ProcessEngine({}, tmp_path).shut_down(rig.run, 60.0, pytest.fail)
    assert not rig.run.path.exists()
    assert not reaper.is_alive()


def test_down_gets_by_where_supervisor_and_reaper_are_both_frozen(rig, frozen, tmp_path):
    rig.start(rig.ready_spec("api", READY))
    frozen()
    reaper = freeze(rig.lease.reaper)
    said = []
    ProcessEngine({}, tmp_path).shut_down(rig.run, 60.0, said.append)
    assert len(said) == 1
    assert not rig.run.path.exists()
    assert not reaper.is_alive()


def test_a_disposable_stack_with_a_frozen_reaper_is_ended_as_well(rig, tmp_path):
    reaper = freeze(rig.lease.reaper)
    ProcessEngine({}, tmp_path).shut_down(rig.run, 60.0, print, disposable=True)
    assert not rig.run.path.exists()
    assert not reaper.is_alive()


def test_a_start_that_failed_ends_a_frozen_supervisor_without_waiting_for_it(rig):
    freeze(read_run(rig.run.path).supervisor)
    began = time.monotonic()
    take_down(rig.run, seconds=60.0)
    assert not rig.run.path.exists()
    assert time.monotonic() - began < ORDERLY_SECONDS


def test_a_frozen_reaper_is_let_go_on_by_whoever_asks_it(rig):
    freeze(rig.lease.reaper)
    assert len(rig.lease.claim_ports(2)) == 2
