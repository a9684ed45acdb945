"""The control socket: commands, streams, logs, secrets, and clients that misbehave."""

import json
import os
import socket
import subprocess
import sys
import tempfile

import pytest

from stackproof.engines import log_files
from stackproof.engines.base import Command, Streams
from stackproof.engines.process.socket_path import reachable
from stackproof.errors import NoStack, StackproofError, WaitTimeout
from stackproof.waiting import wait_until

READY = "print('ready', flush=True)\nimport time\ntime.sleep(600)\n"
SECRET = "canary-s3cret-value"


def raw(rig, data):
    with socket.socket(socket.AF_UNIX) as link:
        with reachable(rig.run.control_socket) as address:
            link.connect(address)
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        return link.makefile().read()


@pytest.mark.parametrize(
    "data",
    [b"not json\n", b"[]\n", b"{}\n", b'{"op": "nope"}\n', b'{"op": "stop"}\n', b"\xff\xfe\n",
     b'{"op": "stop", "services": ["nobody"]}\n', b'{"op": "start", "services": [{}]}\n', b"{",
     b"[" * 100_000 + b"\n", b'{"op": ' * 100_000 + b"\n",
     b'{"op": "events", "since": ' + b"9" * 5000 + b"}\n"],
    ids=range(12),
)  # fmt: skip
def test_a_malformed_request_gets_an_error_and_the_supervisor_lives_on(rig, data):
    assert "bad request" in json.loads(raw(rig, data))["error"]["what"]
    assert rig.control.status() == ()


def test_a_command_runs_in_the_services_surroundings_and_its_output_is_kept(rig):
    rig.start(rig.ready_spec("api", READY, env={"COLOUR": "blue"}))
    seen = []
    command = Command(["/bin/sh", "-c", "echo $COLOUR $MORE; cat; exit 3"], {"MORE": "x"})
    done = rig.control.run("migrate", command, service="api", stdin="given\n", on_line=seen.append)
    assert (done.exit_code, seen) == (3, ["blue x", "given"])
    assert "blue x" in rig.log("migrate")


def test_a_command_that_takes_too_long_is_ended_with_all_below_it(rig):
    mark = {"STACKPROOF_SERVICE": "rig-e2e/slow"}
    command = Command(["/bin/sh", "-c", "sleep 600 & sleep 600"], mark, timeout=0.2)
    with pytest.raises(WaitTimeout):
        rig.control.run("slow", command, cwd="/")
    assert rig.processes("slow") == []


def test_a_client_that_vanishes_ends_its_command(rig):
    code = (
        "import sys; from pathlib import Path\n"
        "from stackproof.engines.base import Command\n"
        "from stackproof.engines.process.control import Control\n"
        "from stackproof.reaper.run_folder import RunFolder\n"
        f"control = Control(RunFolder(Path({str(rig.run.root)!r}), 'rig-e2e'))\n"
        "command = Command(['/bin/sleep', '600'], {'STACKPROOF_SERVICE': 'rig-e2e/x'})\n"
        "control.run('x', command, cwd='/')\n"
    )
    client = subprocess.Popen([sys.executable, "-c", code])
    wait_until(lambda: rig.processes("x"), timeout=20, what="the command runs")
    client.kill()
    client.wait()
    wait_until(lambda: not rig.processes("x"), timeout=20, what="it has ended")


def test_a_command_is_connected_to_the_callers_own_streams(rig):
    rig.start(rig.ready_spec("api", READY))
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out:
        given.write(b"hello")
        given.seek(0)
        streams = Streams(given.fileno(), out.fileno(), out.fileno())
        code = rig.control.execute("api", Command(["/bin/sh", "-c", "cat; exit 7"]), streams)
        out.seek(0)
        assert (code, out.read()) == (7, b"hello")


def test_a_command_that_can_not_be_started_is_said(rig):
    rig.start(rig.ready_spec("api", READY))
    with pytest.raises(StackproofError, match="nonexistent"):
        rig.control.execute("api", Command(["/nonexistent"]), Streams(0, 1, 2))


def test_no_secret_enters_the_run_folder(rig):
    rig.control.configure([SECRET])
    code = f"import sys\nprint('x {SECRET} y')\nprint('{SECRET}', file=sys.stderr)\n" + READY
    rig.start(rig.ready_spec("api", code, env={"KEY": SECRET}))
    rig.control.run("cmd", Command(["/bin/sh", "-c", f"echo {SECRET}"]), cwd="/")
    files = [path for path in rig.run.path.rglob("*") if path.is_file()]
    assert any("x ******** y" in path.read_text(errors="replace") for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_a_flood_of_output_is_bounded_and_harms_nobody(rig):
    code = "import sys\nfor n in range(400_000): print('line', n, 'x' * 120)\n" + READY
    rig.start(rig.ready_spec("flood", code), timeout=60)
    sizes = sum(path.stat().st_size for path in rig.run.logs.glob("flood.log*"))
    assert sizes <= 2 * 32 * 1024 * 1024
    last = list(log_files.read(rig.run.logs, ["flood"], tail=2))
    assert [line.text for line in last] == ["line 399999 " + "x" * 120, "ready"]


def test_binary_output_and_half_lines_become_readable_lines(rig):
    code = (
        "import os\nos.write(1, b'\\xff\\x00bin\\n')\nos.write(2, b'a' * 40000 + b'\\n')\n"
        "os.write(1, b'no end')\n"
    )
    rig.start(rig.spec("odd", code, one_shot=True))
    wait_until(lambda: "no end" in rig.log("odd"), timeout=10, what="the half line is written")
    texts = [line.text for line in log_files.read(rig.run.logs, ["odd"])]
    assert "\\xff\\x00bin" in texts
    assert "no end" in texts
    long = [text for text in texts if text.startswith("aaa")]
    assert sum(text.count("a") for text in long) == 40000


def test_asking_after_the_end_says_that_the_stack_is_not_up(rig):
    rig.shut_down()
    with pytest.raises(NoStack, match="rig-e2e is not up"):
        rig.control.status()


def test_supervisor_and_reaper_stay_small(rig):
    rig.start(rig.ready_spec("api", READY))
    total = 0
    state = rig.lease.reaper.pid, None
    from stackproof.reaper.leftovers import read_run

    state = read_run(rig.run.path)
    for process in (state.reaper, state.supervisor):
        with open(f"/proc/{process.pid}/status") as file:  # noqa: PTH123
            total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    assert total <= 60 * 1024, f"{total} KiB; {os.getpid()}"
