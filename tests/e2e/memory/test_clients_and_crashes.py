"""Several clients, a killed child, a locked database, and a provider that is slow with files."""

import contextlib
import fcntl
import os
import re
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.memory.agents import PATIENCE, FailedError, Project, StdioAgent
from tests.e2e.memory.texts import LONG

pytestmark = [pytest.mark.e2e, pytest.mark.stack("memory")]
AGENT = pytest.mark.stack("memory", profiles=["agent"])

KILL = """\
import os, pathlib, signal
for process in pathlib.Path("/proc").iterdir():
    try:
        words = (process / "cmdline").read_bytes().split(b"\\0")
    except OSError:
        continue
    if words[1:3] == [b"-m", b"memory.stdio"]:
        os.kill(int(process.name), signal.SIGKILL)
"""

CREATE = """\
import pathlib, sys
from memory.database import Database
print("begins", flush=True)
Database(pathlib.Path(sys.argv[1]), patience=60).create()
"""

LOCK = """\
import os, pathlib, sqlite3, time
database = sqlite3.connect(os.environ["MEMORY_HOME"] + "/memory.sqlite", isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
held = pathlib.Path(os.environ["MEMORY_FILES"], "locked")
held.touch()
while held.exists():
    time.sleep(0.05)
"""

UNLOCK = """\
import os, pathlib, time
held = pathlib.Path(os.environ["MEMORY_FILES"], "locked")
while not held.exists():
    time.sleep(0.05)
"""


@AGENT
def test_clients_of_one_home_share_its_memory_and_those_of_two_do_not(stack):
    asked = re.compile(r"\A(?!Summarize the exchange)")
    stack.gateway.when(text=asked).reply("Noted.")  # an echo would repeat what was recalled
    url = stack.url("runner")
    agents = [StdioAgent(url, "one", "a"), StdioAgent(url, "one", "b"), StdioAgent(url, "two", "a")]
    projects = [Project(stack, agent) for agent in agents]
    with ThreadPoolExecutor(len(projects)) as pool:
        calls = [
            pool.submit(
                project.ask, f"Remember the word kiwi{number}.", session=f"s{number}-{turn}"
            )
            for turn in range(3)
            for number, project in enumerate(projects)
        ]
        for call in calls:
            call.result()

    sessions = [
        {session["session_id"] for session in agent.call("list_sessions")["sessions"]}
        for agent in agents
    ]
    assert sessions[0] == sessions[1] == {f"s{n}-{turn}" for n in (0, 1) for turn in range(3)}
    assert sessions[2] == {f"s2-{turn}" for turn in range(3)}
    for number in (0, 1):
        for turn in range(3):
            projects[0].wait_for_summaries(f"s{number}-{turn}", 1)
    found = [summary["session_id"] for summary in projects[1].found("kiwi0")]
    assert sorted(found) == [f"s0-{turn}" for turn in range(3)]
    assert projects[2].found("kiwi0") == []


@AGENT
def test_a_killed_child_of_a_healthy_runner_is_started_again(stack, stdio):
    project = Project(stack, stdio)
    project.ask("Name a colour.", session="s")
    before = stdio.starts

    killed = stack.service("runner").exec(["python", "-c", KILL])
    assert killed.exit_code == 0, killed.stderr

    stack.wait_until(
        lambda: (project.agent.call("list_sessions"), stdio.starts)[1],
        until=lambda starts: starts == before + 1,
        timeout=PATIENCE,
        retry_on=(Exception,),
        what="the child was started again",
    )
    assert project.ask("Another one.", session="s")["text"]


@AGENT
def test_a_call_waits_for_a_child_that_does_not_start_at_once(stack):
    runner, home = stack.service("runner"), "$RUNNER_HOMES/blocked"
    blocked = runner.exec(["sh", "-c", f'touch "{home}"'])
    assert blocked.exit_code == 0, blocked.stderr
    agent = StdioAgent(stack.url("runner"), "blocked")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.call, "list_sessions")
        stack.wait_until(
            lambda: "the server of blocked has ended" in runner.logs(),
            timeout=PATIENCE,
            what="the child could not start",
        )
        runner.exec(["sh", "-c", f'rm "{home}"'])
        assert waiting.result()["sessions"] == []
    assert agent.starts > 1


def test_a_process_that_starts_waits_for_another_one_that_makes_the_database(tmp_path):
    path, source = tmp_path / "memory.sqlite", Path("systems/memory/src").resolve()
    with contextlib.ExitStack() as held:
        folder = os.open(tmp_path, os.O_RDONLY)
        held.callback(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        first = held.enter_context(contextlib.closing(sqlite3.connect(path, isolation_level=None)))
        first.execute("BEGIN IMMEDIATE")
        second = subprocess.Popen(
            [sys.executable, "-c", CREATE, str(path)],
            env={**os.environ, "PYTHONPATH": str(source)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert second.stdout.readline() == "begins\n"
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(1)
    second.communicate(timeout=PATIENCE)
    assert second.returncode == 0


def test_a_call_waits_for_a_locked_database_and_fails_with_words_if_it_stays_so(stack, project):
    server = stack.service("server")
    wait, unlock = ["python", "-c", UNLOCK], ["python", "-c", f"{UNLOCK}held.unlink()"]
    with ThreadPoolExecutor(2) as pool:
        locking = pool.submit(server.exec, ["python", "-c", LOCK])
        server.exec(wait)
        waiting = pool.submit(project.ask, "Name a colour.", session="waits")
        server.exec(unlock)
        assert locking.result().exit_code == 0
        assert waiting.result()["text"]

        locking = pool.submit(server.exec, ["python", "-c", LOCK])
        server.exec(wait)
        with pytest.raises(FailedError, match=r"DATABASE_UNAVAILABLE: the database: .*locked"):
            project.ask("Name a colour.", session="fails")
        server.exec(unlock)
        assert locking.result().exit_code == 0
    assert project.ask("Name a colour.", session="works")["text"]


@pytest.mark.stack("memory", env={"server": {"TZ": "Pacific/Kiritimati"}})
def test_the_zone_of_the_clock_changes_nothing(stack, project, provider):
    project.write(pie="The apple pie is baked with cinnamon.", filler=LONG)
    asked = time.time()
    project.ask("What is the pie baked with?", session="s", context=["."])
    (session,) = project.agent.call("list_sessions")["sessions"]
    assert asked - 60 < session["created"] < time.time() + 60
    project.wait_for_summaries("s", 1)
    stack.wait_until(
        provider.kept,
        until=lambda kept: kept == {"files": 0, "vector_stores": 0},
        timeout=PATIENCE,
        what="nothing is kept at the provider",
    )


def test_a_slow_store_is_waited_for_and_a_refused_upload_is_an_error(project, provider):
    pie = "The apple pie is baked with cinnamon."
    project.write(pie=pie, filler=LONG)
    provider.gateway.slow_indexing(3)
    told = project.ask("What is the pie baked with?", session="slow", context=["."])
    assert "pie.md" in told["searched"]
    assert pie in provider.prompts()[-1]

    before = provider.prompts()
    for path in ("/v1/files", "/v1/vector_stores/*/files"):
        provider.gateway.arm("fail-once", path=path)
        with pytest.raises(FailedError, match="STATUS_500: openai: status 500"):
            project.ask("What is the pie baked with?", session=path, context=["."])
        assert provider.prompts() == before, "a model was asked without the file"
    assert project.ask("What is the pie baked with?", session="/v1/files", context=["."])[
        "searched"
    ]
