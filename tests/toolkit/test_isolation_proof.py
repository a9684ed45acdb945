"""Tests that do to their stacks whatever they can, side by side, and never see each other."""

import os
import subprocess
import sys
from pathlib import Path

from stackproof.reaper.namespace import namespaces_allowed

TESTS = """\
import os, pathlib, socket, time
import httpx, pytest

pytestmark = pytest.mark.stack(isolation="test", limits={"web": {"cpus": 0.4}})

HERE = pathlib.Path(os.environ["OUTER"])
ALL = ["destroyer", "bystander"]

def meet(point, me):
    '''Wait until all tests have come so far.'''
    (HERE / f"{point} {me}").touch()
    while not all((HERE / f"{point} {other}").exists() for other in ALL):
        assert not (HERE / "over").exists()
        time.sleep(0.01)

def redis(stack, words):
    endpoint = stack.endpoint("cache")
    with socket.create_connection((endpoint.host, endpoint.port), timeout=20) as link:
        link.sendall(words.encode() + b"\\r\\n")
        return link.recv(1000)

FILL = '''
import os, tempfile
with open(os.path.join(tempfile.gettempdir(), "filling"), "xb") as file:
    for _ in range(32):
        file.write(bytes(1 << 20))
'''
OVERFILL = '''
import errno, os, tempfile
try:
    with open(os.path.join(tempfile.gettempdir(), "too much"), "wb") as file:
        for _ in range(64):
            file.write(bytes(1 << 20))
    print("never full")
except OSError as error:
    print(errno.errorcode[error.errno])
'''
BURN = '''
import time
end = time.monotonic() + 2
while time.monotonic() < end:
    pass
print(time.process_time() / 2)
'''

def python(stack, text):
    done = stack.service("web").exec(["python", "-c", text])
    assert done.exit_code == 0, done.stderr
    return done.stdout

@pytest.fixture(autouse=True)
def nobody_waits_for_a_failed_one():
    yield
    (HERE / "over").touch()

@pytest.mark.parametrize("me", ALL)
def test_of(stack, me):
    stack.psql(["-c", "insert into item values (3)"], service="db")  # the same id
    assert redis(stack, f"SETNX id {me}") == b":1\\r\\n"
    python(stack, FILL)  # the same file name
    meet("written", me)
    assert me.encode() in redis(stack, "GET id")
    if me == "destroyer":
        redis(stack, "FLUSHALL")
        stack.psql(["-c", "drop table item"], service="db")
        stack.service("cache").kill()
        share = float(python(stack, BURN))
        if os.environ["BOUNDED"] == "yes":
            assert python(stack, OVERFILL).strip() == "ENOSPC"
        if os.environ["LIMITED"] == "yes":
            assert share < 0.7, f"a service with 0.4 processors had {share}"
    meet("destroyed", me)
    if me == "bystander":
        python(stack, FILL.replace("filling", "more"))
        assert me.encode() in redis(stack, "GET id")
        assert stack.rows("select id from item order by id") == [{"id": n} for n in (1, 2, 3)]
        assert httpx.get(stack.url("web")).text == "hello"
        assert all(one.is_well and not one.restarts for one in stack.running.status())
    meet("seen", me)
"""


def test_whatever_a_test_does_to_its_stack_no_other_one_sees(project):
    project.write("tests/own/test_own.py", TESTS)
    project.write("pytest.ini", "[pytest]\n")
    project.replace(
        "compose.yaml", '    ports: ["8000', '    tmpfs: /tmp:size=80m\n    ports: ["8000'
    )
    roots = [Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")]
    limited = any((one / "cgroup.procs").exists() and os.access(one, os.W_OK) for one in roots)
    own = {
        "OUTER": str(project.folder),
        "LIMITED": "yes" if limited else "no",
        "BOUNDED": "no" if namespaces_allowed() or os.getuid() else "yes",
    }

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own", "-n", "2"],
        cwd=project.folder, env={**project.environment, **own}, text=True, check=False,
        timeout=240, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    project.wait_until_nothing_is_left()
