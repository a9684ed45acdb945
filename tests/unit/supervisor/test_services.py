"""Services under supervision: order, readiness, restarts, stubborn ends, limits."""

import http.server
import os
import signal
import threading
from dataclasses import replace

import pytest

from stackproof.engines.process.spec import Forked
from stackproof.engines.timestamps import timestamp
from stackproof.errors import NotReady, PortTaken, ServiceExited
from stackproof.readiness.probes import (
    AliveProbe,
    AllProbes,
    CommandProbe,
    HealthTiming,
    HttpProbe,
    ListeningProbe,
    LogProbe,
    TcpProbe,
)
from stackproof.reaper.leftovers import clean, read_run
from stackproof.reaper.sweep import marked
from stackproof.waiting import wait_until

SLEEP = "import time\ntime.sleep(600)\n"
READY = "print('ready')\n" + SLEEP
SERVE = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({status}); self.end_headers(); self.wfile.write(b"hello")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""


def test_every_process_of_a_run_carries_its_mark(rig):
    child = "import os, subprocess, sys\nprint(os.environ['STACKPROOF_RUN'])\nprint('ready')\n"
    code = child + f"subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    rig.start(rig.ready_spec("app", code))
    assert rig.log("app").splitlines()[0].endswith(rig.lease.run_id)
    mark = f"STACKPROOF_RUN={rig.lease.run_id}"
    wait_until(lambda: len(marked(mark)) == 3, timeout=10, what="supervisor and both are marked")
    rig.shut_down()
    assert marked(mark) == []


def test_a_service_that_no_fork_server_begins_is_started_anew_and_it_is_said(shared_rig):
    forked = Forked("nowhere:0", "", "app", (), ("python", "-m", "app"))
    shared_rig.start(replace(shared_rig.ready_spec("forked", READY), forked=forked))
    told = (shared_rig.run.path / "events.jsonl").read_text()
    assert "without what is imported ahead: fork servers need a private world" in told


def test_what_a_killed_reaper_and_supervisor_leave_is_removed_by_the_next_command(shared_rig):
    rig = shared_rig
    rig.start(rig.ready_spec("app", READY))
    state = read_run(rig.run.path)
    state.reaper.kill(signal.SIGSTOP)
    for process in (state.supervisor, state.reaper):
        process.kill(signal.SIGKILL)
    wait_until(lambda: not state.is_alive, timeout=20, what="both are dead")
    assert marked(f"STACKPROOF_RUN={rig.lease.run_id}")
    (line,) = clean(rig.run.root)
    assert "removed what a run of rig-e2e had left: 1 process" in line
    assert marked(f"STACKPROOF_RUN={rig.lease.run_id}") == []


def test_services_start_as_soon_as_their_own_dependencies_allow(rig):
    rig.start(
        rig.ready_spec("api", READY, depends_on={"db": "service_healthy"}),
        rig.ready_spec("db", READY),
        rig.ready_spec("worker", READY, depends_on={"api": "service_started"}),
        rig.ready_spec("alone", READY),
    )
    order = rig.order()
    assert order.index("db") < order.index("api") < order.index("worker")
    assert order.index("alone") < order.index("api")


def test_a_one_shot_that_ends_well_lets_those_that_wait_for_it_begin(rig):
    rig.start(
        rig.spec("migrate", "print('done')", one_shot=True),
        rig.ready_spec("api", READY, depends_on={"migrate": "service_completed_successfully"}),
    )
    assert rig.state("migrate").state == "completed"
    assert rig.state("migrate").is_well


def test_a_one_shot_that_fails_is_the_verdict_and_not_the_service_that_waits(rig):
    with pytest.raises(ServiceExited, match=r"migrate exited with status 3") as caught:
        rig.start(
            rig.spec("migrate", "print('no such table'); raise SystemExit(3)", one_shot=True),
            rig.ready_spec("api", READY, depends_on={"migrate": "service_completed_successfully"}),
        )
    assert "no such table" in str(caught.value)


def test_a_one_shot_that_never_ends_is_named_when_the_time_is_up(rig):
    with pytest.raises(NotReady, match="api was not ready"):
        rig.start(
            rig.spec("migrate", SLEEP, one_shot=True),
            rig.ready_spec("api", READY, depends_on={"migrate": "service_completed_successfully"}),
            timeout=1,
        )


def test_a_service_that_dies_at_start_is_reported_at_once_with_its_last_lines(rig):
    with pytest.raises(ServiceExited) as caught:
        rig.start(rig.ready_spec("api", "import sys\nprint('bad config')\nsys.exit(4)"), timeout=60)
    assert caught.value.service == "api"
    assert caught.value.code == 4
    assert caught.value.log_tail == ("bad config",)


def test_a_service_that_hangs_at_start_is_reported_with_its_probes_last_answer(rig):
    with pytest.raises(NotReady) as caught:
        rig.start(rig.spec("api", SLEEP, probe=TcpProbe("127.0.0.1", 9)), timeout=1)
    assert "TCP connect to 127.0.0.1:9" in str(caught.value)
    assert "connection refused" in caught.value.last_failure


def test_a_program_that_does_not_exist_is_said(rig):
    spec = rig.spec("api", "")
    broken = type(spec)(**{**vars(spec), "argv": ("/nonexistent/program",)})
    with pytest.raises(ServiceExited, match=r"could not be started: /nonexistent/program"):
        rig.start(broken)


def test_each_kind_of_probe_is_answered(rig):
    (port,) = rig.lease.claim_ports(1)
    probe = AllProbes(
        (
            TcpProbe("127.0.0.1", port),
            HttpProbe(f"http://127.0.0.1:{port}/health?x=1"),
            CommandProbe(("/bin/sh", "-c", 'test "$COLOUR" = blue')),
            LogProbe("started on"),
            AliveProbe(0.1),
        )
    )
    code = f"print('started on {port}', flush=True)\n" + SERVE.format(status=200, port=port)
    rig.start(rig.spec("api", code, probe=probe, ports=(port,), env={"COLOUR": "blue"}))
    assert rig.state("api").health == "healthy"
    assert rig.state("api").ready_after >= 0.1


def test_a_bad_http_status_is_not_ready_and_shows_the_answer(rig):
    (port,) = rig.lease.claim_ports(1)
    code = SERVE.format(status=503, port=port)
    probe = HttpProbe(f"http://127.0.0.1:{port}/")
    with pytest.raises(NotReady, match=r"HTTP status 503.*hello"):
        rig.start(rig.spec("api", code, probe=probe), timeout=5)


def test_a_port_that_is_taken_is_said_with_its_holder(rig):
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    port = server.server_address[1]
    try:
        with pytest.raises(PortTaken) as caught:
            rig.start(rig.ready_spec("api", READY, ports=(port,)))
    finally:
        server.server_close()
    assert (caught.value.service, caught.value.port) == ("api", port)


def test_a_stranger_that_answers_on_the_port_is_not_taken_for_the_service(rig, tmp_path):
    (port,) = rig.lease.claim_ports(1)
    go = tmp_path / "go"
    code = f"import os, time\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\n" + SLEEP
    probe = HttpProbe(f"http://127.0.0.1:{port}/")

    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            pass

    rig.control.start([rig.spec("api", code, probe=probe, ports=(port,))])
    wait_until(lambda: rig.state("api").state == "running", timeout=20, what="api runs")
    server = http.server.HTTPServer(("127.0.0.1", port), Stranger)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        go.touch()
        with pytest.raises(NotReady, match=f"a stranger answers on {port}"):
            rig.control.wait_ready(2, rig.said.append)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("kind", ["http", "alive"])
def test_a_service_that_listens_on_the_port_of_its_container_is_told_so_at_once(rig, kind):
    wanted, other, actual = rig.lease.claim_ports(3)
    code = SERVE.format(status=200, port=actual)
    fields = {"ports": (other, wanted), "container_ports": (9, actual)}
    probe = HttpProbe(f"http://127.0.0.1:{wanted}/") if kind == "http" else AliveProbe(1.0)
    with pytest.raises(NotReady) as caught:
        rig.start(rig.spec("api", code, probe=probe, **fields), timeout=60)
    assert f"listens on {actual}, expected {wanted}" in str(caught.value)
    assert f"ports: {{api: {actual}}}" in str(caught.value)
    assert caught.value.waited < 30


def test_one_of_several_ports_is_enough_and_a_log_line_needs_none(rig):
    first, second, third = rig.lease.claim_ports(3)
    serving = SERVE.format(status=200, port=second)
    two = {"ports": (first, second), "container_ports": (8000, 8001)}
    one = {"ports": (third,), "container_ports": (8002,)}
    rig.start(
        rig.spec("api", serving, probe=ListeningProbe((first, second)), **two),
        rig.spec("worker", SLEEP, probe=AliveProbe(0.2), **one),
    )
    assert rig.state("api").health == rig.state("worker").health == "healthy"


def test_a_service_that_listens_on_no_port_that_was_asked_for_is_told_where_it_listens(rig):
    wanted, actual = rig.lease.claim_ports(2)
    code = SERVE.format(status=200, port=actual)
    fields = {"ports": (wanted,), "container_ports": (8000,), "probe": ListeningProbe((wanted,))}
    with pytest.raises(NotReady, match=f"listens on {actual}, not on {wanted}"):
        rig.start(rig.spec("api", code, **fields), timeout=5)
    assert any(f"listens on {actual}, not on {wanted}" in line for line in rig.said)


def test_a_crash_is_followed_by_a_restart_where_the_policy_says_so(rig, tmp_path):
    flag = tmp_path / "second"
    code = (
        f"import os\nif not os.path.exists({str(flag)!r}):\n"
        f"    open({str(flag)!r}, 'w').close(); raise SystemExit(1)\n" + READY
    )
    rig.start(rig.ready_spec("worker", code, restart="on-failure"))
    assert rig.state("worker").restarts == 1


def test_a_service_that_crashes_again_and_again_is_given_up_with_a_verdict(rig):
    with pytest.raises(ServiceExited, match=r"exited with status 1, 3 times in a row"):
        rig.start(rig.ready_spec("worker", "raise SystemExit(1)", restart="always"), timeout=60)


def test_a_service_that_ignores_sigterm_is_ended_after_its_grace_period(rig):
    code = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY
    rig.start(rig.ready_spec("worker", code, stop_grace=0.2))
    rig.control.control("stop", ["worker"])
    assert rig.state("worker").state == "stopped"
    assert rig.processes("worker") == []


def test_the_stop_signal_of_the_stack_file_is_sent(rig):
    code = (
        "import signal, sys, time\n"
        "def end(*_): print('got it', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGUSR1, end)\n" + READY
    )
    rig.start(rig.ready_spec("worker", code, stop_signal="SIGUSR1"))
    rig.control.control("stop", ["worker"])
    wait_until(lambda: "got it" in rig.log("worker"), timeout=10, what="the signal is handled")


def test_a_frozen_service_can_be_stopped(rig):
    rig.start(rig.ready_spec("worker", READY, stop_grace=0.2))
    rig.control.control("pause", ["worker"])
    assert rig.state("worker").state == "paused"
    rig.control.control("stop", ["worker"])
    assert rig.processes("worker") == []


def test_what_a_service_has_put_into_other_sessions_ends_with_it(rig):
    code = (
        "import os, time\n"
        "for _ in range(2):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os.setsid()\n"
        "        if os.fork(): os._exit(0)\n"
        "        time.sleep(600)\n" + READY
    )
    rig.start(rig.ready_spec("worker", code))
    wait_until(lambda: len(rig.processes("worker")) == 3, timeout=10, what="daemons")
    rig.control.control("stop", ["worker"])
    assert rig.processes("worker") == []


def test_a_service_of_another_run_that_has_the_same_name_goes_on(shared_rig, other_shared_rig):
    for rig in (shared_rig, other_shared_rig):
        rig.start(rig.ready_spec("worker", READY))
    pid = other_shared_rig.state("worker").pid
    shared_rig.control.control("kill", ["worker"])
    shared_rig.control.control("stop", ["worker"])
    assert shared_rig.processes("worker") == []
    assert [process.pid for process in other_shared_rig.processes("worker")] == [pid]
    assert other_shared_rig.state("worker").state == "running"


def test_a_killed_service_starts_again_if_its_policy_says_so(rig):
    rig.start(rig.ready_spec("worker", READY, restart="unless-stopped"))
    before = rig.state("worker").pid
    since, began = rig.control.last_event(), timestamp()
    rig.control.control("kill", ["worker"])
    wait_until(lambda: rig.state("worker").restarts == 1, timeout=20, what="it starts again")
    rig.control.wait_ready(20, rig.said.append, since=since)
    assert rig.state("worker").pid != before
    happened = [str(event) for event in rig.control.events(began)]
    assert happened[:2] == ["was ended by SIGKILL", "started"]


def test_sigkill_ends_all_processes_of_a_service_before_it_returns(rig):
    child = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"
    code = f"import os, time\n{child}{READY}"
    rig.start(rig.ready_spec("worker", code))
    wait_until(lambda: len(rig.processes("worker")) == 2, timeout=10, what="both run")
    rig.control.control("kill", ["worker"])
    assert rig.processes("worker") == []


@pytest.mark.skipif(
    not os.access("/sys/fs/cgroup/memory", os.W_OK)
    and not os.access("/sys/fs/cgroup/cgroup.subtree_control", os.W_OK),
    reason="control groups can't be written here; run as root on Linux",
)
def test_a_service_that_takes_too_much_memory_is_reported_as_such(rig):
    code = "data = []\nwhile True: data.append(bytearray(1 << 20))\n"
    with pytest.raises(ServiceExited, match=r"out of memory \(its limit is 64 MiB\)"):
        rig.start(rig.ready_spec("greedy", code, memory=64 << 20, cpus=0.5, pids=32))


def test_a_health_check_that_fails_later_makes_the_service_unhealthy(rig, tmp_path):
    sick = tmp_path / "sick"
    probe = CommandProbe(("/bin/sh", "-c", f"! test -e {sick}"))
    timing = HealthTiming(interval=0.05, timeout=2, retries=2, start_interval=0.05)
    rig.start(rig.spec("api", SLEEP, probe=probe, timing=timing))
    sick.touch()
    wait_until(lambda: rig.state("api").health == "unhealthy", timeout=20, what="it is seen")
    sick.unlink()
    wait_until(lambda: rig.state("api").health == "healthy", timeout=20, what="it is well again")


def test_services_stop_before_what_they_depend_on(rig):
    code = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + READY
    )
    rig.start(
        rig.ready_spec("db", code),
        rig.ready_spec("api", code, depends_on={"db": "service_healthy"}),
    )
    events = rig.run.events
    kept = events.with_name("kept")
    os.link(events, rig.run.root.parent / kept.name)
    rig.shut_down()
    text = (rig.run.root.parent / kept.name).read_text()
    assert text.index('"service": "api", "kind": "stopped"') < text.index(
        '"service": "db", "kind": "stopped"'
    )
