"""Jobs: many at once, cancelled ones stay cancelled, and all survive the server."""

import httpx
import pytest
from tests.e2e.memory.agents import GPT, PATIENCE, FailedError, RefusedError

PLANT = """\
import os, sqlite3
database = sqlite3.connect(os.environ["MEMORY_HOME"] + "/memory.sqlite")
database.execute(
    "INSERT INTO job (id, tool, arguments, state, created, updated) "
    "VALUES ('planted', 'list_models', '7', 'queued', 0, 0)"
)
database.commit()
"""
"""A job that no start_job could have made."""

EXPIRE = """\
import os, sqlite3, time
database = sqlite3.connect(os.environ["MEMORY_HOME"] + "/memory.sqlite", isolation_level=None)
database.execute("UPDATE job SET lease = 0 WHERE state = 'running'")
while database.execute("SELECT 1 FROM job WHERE state = 'running' AND lease = 0").fetchone():
    time.sleep(0.05)
"""
"""A machine that stood still for longer than a lease."""

pytestmark = [pytest.mark.e2e, pytest.mark.stack("memory")]

ENDED = {"completed", "failed", "cancelled"}


def start(http, text, session="s"):
    arguments = {"instructions": text, "output_format": "one line", "session_id": session}
    return http.call("start_job", tool=GPT, arguments=arguments)["job_id"]


def wait_until_ended(stack, http, job):
    return stack.wait_until(
        lambda: http.call("poll_job", job_id=job),
        until=lambda told: told["state"] in ENDED,
        timeout=PATIENCE,
        retry_on=(httpx.TransportError,),
        what=f"{job} has ended",
    )


def test_twenty_jobs_run_and_a_cancelled_one_stays_cancelled(stack, http, provider):
    provider.gateway.when(text="Wait.").reply("too late", hold="slow")
    slow = start(http, "Wait.", "slow")
    stack.wait_until(
        lambda: http.call("poll_job", job_id=slow)["state"] == "running",
        timeout=PATIENCE,
        what="the slow job runs",
    )
    jobs = [start(http, f"Name the number {number}.", f"s{number}") for number in range(20)]
    assert http.call("cancel_job", job_id=slow)["state"] == "cancelled"

    ended = [wait_until_ended(stack, http, job) for job in jobs]

    assert {told["state"] for told in ended} == {"completed"}
    assert all(f"number {number}." in told["result"]["text"] for number, told in enumerate(ended))
    provider.gateway.release("slow")
    stack.wait_until(
        lambda: {one["session_id"] for one in http.call("list_sessions")["sessions"]},
        until=lambda sessions: "slow" in sessions,
        timeout=PATIENCE,
        what="the slow call has been answered",
    )
    stack.wait_until(
        lambda: http.call("poll_job", job_id=slow)["state"] == "cancelled",
        timeout=PATIENCE,
        steady_for=1.0,
        what="the cancelled job stays so",
    )


def test_a_job_goes_on_after_a_restart_and_a_cancelled_one_does_not(stack, http, provider):
    provider.gateway.when(text="Wait.").reply("at last", hold="slow", times=2)
    kept, cancelled = start(http, "Wait. Keep it.", "a"), start(http, "Wait. Cancel it.", "b")
    stack.wait_until(
        lambda: [http.call("poll_job", job_id=job)["state"] for job in (kept, cancelled)],
        until=lambda states: states == ["running", "running"],
        timeout=PATIENCE,
        what="both jobs run",
    )
    expired = stack.service("server").exec(["python", "-c", EXPIRE])
    assert expired.exit_code == 0, expired.stderr
    assert http.call("poll_job", job_id=kept)["starts"] == 1, "the server took over its own work"
    http.call("cancel_job", job_id=cancelled)
    stack.service("server").kill()
    provider.gateway.release("slow")
    stack.service("server").start()

    told = wait_until_ended(stack, http, kept)

    assert told["state"] == "completed"
    assert told["starts"] == 2
    assert http.call("poll_job", job_id=cancelled)["state"] == "cancelled"
    assert len(http.call("describe_session", session_id="a")["messages"]) == 2


def test_what_no_job_can_be_is_refused_and_a_failed_one_tells_why(stack, http, provider):
    with pytest.raises(RefusedError, match="unknown tool"):
        http.call("start_job", tool="chat_with_hal", arguments={})
    with pytest.raises(RefusedError, match="'instructions' is a required property"):
        http.call("start_job", tool=GPT, arguments={})
    with pytest.raises(RefusedError, match="can't run as a job"):
        http.call("start_job", tool="poll_job", arguments={"job_id": "x"})
    with pytest.raises(FailedError, match="there is no job 'x'"):
        http.call("poll_job", job_id="x")
    provider.gateway.when(text="Fail.").fail(500)
    told = wait_until_ended(stack, http, start(http, "Fail."))
    assert told["state"] == "failed"
    assert told["error"]["code"] == "STATUS_500"

    planted = stack.service("server").exec(["python", "-c", PLANT])
    assert planted.exit_code == 0, planted.stderr
    told = wait_until_ended(stack, http, "planted")
    assert told["state"] == "failed"
    assert told["error"]["code"] == "INTERNAL"
