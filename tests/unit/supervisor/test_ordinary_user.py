"""A stack of an ordinary user answers that user; where namespaces hide root, not even root."""

import json
import subprocess
import textwrap

import pytest

PROGRAM = """
import contextlib, os, socket, sys, tempfile
from pathlib import Path
from stackproof.engines.process.control import Control
from stackproof.engines.process.spec import ServiceSpec
from stackproof.readiness.probes import HealthTiming, TcpProbe
from stackproof.reaper.launch import launch
from stackproof.reaper.takedown import take_down
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder

SERVER = '''
import contextlib, socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("server.sock")
listener.listen()
while True:
    link, _ = listener.accept()
    with contextlib.suppress(OSError):
        link.sendall(b"hello")
    link.close()
'''
run = RunFolder(Path(tempfile.mkdtemp()) / "state", "theirs-e2e")
argv = [sys.executable, "-m", "stackproof.engines.process.supervisor", "--run-folder"]
system = {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"]}
lease = launch(run, [*argv, str(run.path)], environment=system)
control = Control(run)
control.wait_for_supervisor()
held = []
(port,) = claim(1, held)
control.start([ServiceSpec(
    "db", (sys.executable, "-c", SERVER), {**system, "STACKPROOF_SERVICE": "theirs-e2e/db"},
    str(run.path), ports=(port,), socket=str(run.path / "server.sock"),
    probe=TcpProbe("127.0.0.1", port), timing=HealthTiming(interval=5.0),
)])
control.wait_ready(30, lambda _line: None)
with socket.create_connection(("127.0.0.1", port), 20) as link:
    own = link.recv(10).decode()
print(__import__("json").dumps({"port": port, "own": own}), flush=True)
sys.stdin.readline()
print((run.logs / "db.log").read_text(), flush=True)
take_down(run, seconds=5)
lease.close()
"""


ASKS = """
import socket, sys
try:
    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) as link:
        print(link.recv(10).decode())
except ConnectionError:
    print("refused")
"""


def hears(port, uid):
    """What a user hears; the user need not have an account."""
    return subprocess.run(
        ["/usr/bin/python3", "-c", ASKS, str(port)],
        user=uid, group=uid, extra_groups=[], cwd="/", text=True, check=True, capture_output=True,
    ).stdout.strip()  # fmt: skip


def test_a_stack_of_an_ordinary_user_answers_nobody_else(other_user):
    environment = {"PYTHONPATH": other_user.import_path(), "PYTHONDONTWRITEBYTECODE": "1"}
    with other_user.popen(
        ["/usr/bin/python3", "-c", textwrap.dedent(PROGRAM)],
        environment=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        line = process.stdout.readline()
        if not line:
            pytest.fail(process.stderr.read())
        told = json.loads(line)
        assert told["own"] == "hello"
        stranger, root = hears(told["port"], other_user.uid + 20_000), hears(told["port"], 0)
        log, _ = process.communicate("\n", timeout=60)
    assert stranger in {"", "refused"}
    assert "refused a connection of user" in log
    # Where the user has namespaces of its own, they do not know root from other users.
    assert root in ({"", "refused"} if "user 65534" in log else {"hello"})
