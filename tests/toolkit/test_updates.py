"""A second `up`: what runs is what the files say now, and what has not changed goes on."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.processes import of_service

from stackproof import lifecycle, wait_until
from stackproof.artifacts.run import new_run
from stackproof.errors import PortTaken, ServiceEnded, ServiceExited, StackproofError
from stackproof.lifecycle.watching import watch
from stackproof.stack.resolved import StackRequest, resolve
from stackproof_redaction import Redactor

PROGRAM = """\
    import json, os, pathlib, secrets, signal, sys, time
    kept = ("GREETING", "PORT", "VIRTUAL_ENV")
    told = {"argv": sys.argv[1:], "env": {name: os.environ.get(name) for name in kept},
            "folder": os.path.basename(os.getcwd()), "version": 1, "start": secrets.token_hex()}
    print("told", json.dumps(told), flush=True)
    if os.environ["GREETING"] == "bye":
        sys.exit(0)
    print("started", flush=True)
    signal.pause()
    """

WAITS_FOR_FILE = """
while not pathlib.Path("end").exists():
    time.sleep(0.01)
print("nothing works", flush=True)
sys.exit(3)
"""


class Shop:
    """A stack of small Python programs that tell how they were started."""

    def __init__(self, folder):
        self.folder = folder
        self.outer = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
        self.said = []
        self.services = {name: {} for name in ("alpha", "beta", "gamma")}
        (folder / "config").mkdir(parents=True)
        (folder / "config" / "shop.yaml").write_text(
            "stack: shop\ncompose_files: [../compose.yaml]\ntimeouts: {start: 60}\n"
        )
        for name in self.services:
            (folder / name).mkdir()
            (folder / name / "program.py").write_text(textwrap.dedent(PROGRAM))
        self.write()

    def write(self):
        """Write the stack file; the values of a service stand over the usual ones."""
        usual = {name: self.usual(name) for name in self.services}
        services = {name: {**usual[name], **self.services[name]} for name in self.services}
        (self.folder / "compose.yaml").write_text(json.dumps({"services": services}))

    def usual(self, name, *arguments):
        return {
            "environment": {"GREETING": "hello"},
            "image": "python",
            "restart": "always",
            "x-stackproof": {
                "environment_of": "stackproof",
                "project": f"./{name}",
                "command": ["python", "program.py", *arguments],
                "ready": {"log": "started"},
            },
        }

    def change_source(self, name, version):
        path = self.folder / name / "program.py"
        path.write_text(textwrap.dedent(PROGRAM).replace('"version": 1', f'"version": {version}'))

    def resolve(self, project=None):
        environment = {
            "STACKPROOF_STATE_DIR": str(self.outer / "state"),
            "PATH": os.environ["PATH"],
        }
        return resolve(StackRequest(self.folder, environment, stack="shop", project=project))

    def up(self):
        self.said.clear()
        self.write()
        return lifecycle.up(self.resolve(), self.said.append).stack

    def told(self, name, project=None):
        """What a service has told of its last start."""
        log = self.resolve(project).run.logs / f"{name}.log"
        return json.loads(re.findall(r" out told (.*)", log.read_text())[-1])

    def start(self, name):
        """What differs from one start of a service to the next."""
        return self.told(name)["start"]

    def processes(self, name):
        return of_service(self.resolve().run, name)

    def down(self):
        lifecycle.down(self.resolve(), self.said.append, force=True, disposable=True)


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path / "project")
    yield made
    made.down()
    made.outer.rmdir()


def test_changed_sources_are_named_and_only_their_service_starts_anew(shop):
    shop.up()
    alpha, beta = shop.start("alpha"), shop.start("beta")
    shop.change_source("alpha", 2)
    (shop.folder / "alpha" / "more.py").write_text("")
    shop.up()
    told = "changed: alpha: 2 files changed since it was started (program.py, more.py)"
    assert (
        told in shop.said or told.replace("program.py, more.py", "more.py, program.py") in shop.said
    )
    assert shop.told("alpha")["version"] == 2
    assert shop.start("alpha") != alpha
    assert shop.start("beta") == beta
    shop.up()
    assert any("nothing has changed" in line for line in shop.said)


def test_a_file_that_changes_while_the_stack_starts_is_seen_by_the_next_up(shop):
    resolved = shop.resolve()

    def edit_meanwhile(line):
        if "waiting" in line or "running" in line:
            shop.change_source("alpha", 2)

    lifecycle.up(resolved, edit_meanwhile)
    shop.up()
    assert any(line.startswith("changed: alpha: 1 file") for line in shop.said)


def test_restart_takes_what_has_changed_of_the_services_that_are_named(shop):
    shop.up()
    before = {name: shop.start(name) for name in shop.services}
    shop.change_source("alpha", 2)
    shop.services["beta"]["environment"] = {"GREETING": "hi"}
    shop.services["gamma"]["environment"] = {"GREETING": "hi"}
    shop.write()
    lifecycle.restart(shop.resolve(), ["alpha", "beta"], shop.said.append)
    assert shop.told("alpha")["version"] == 2
    assert shop.told("beta")["env"]["GREETING"] == "hi"
    assert shop.start("gamma") == before["gamma"]
    shop.up()
    assert [line.split()[1] for line in shop.said if line.startswith("changed")] == ["gamma:"]


def test_a_service_restarts_with_what_it_depends_on_where_the_file_says_so(shop):
    on_alpha = {"alpha": {"condition": "service_started", "restart": True}}
    shop.services["beta"]["depends_on"] = on_alpha
    shop.services["gamma"]["depends_on"] = {"alpha": {"condition": "service_started"}}
    shop.up()
    before = {name: shop.start(name) for name in shop.services}
    shop.change_source("alpha", 2)
    shop.up()
    assert shop.start("beta") != before["beta"]
    assert shop.start("gamma") == before["gamma"]
    assert "beta: restarted with alpha" in shop.said
    beta = shop.start("beta")
    lifecycle.restart(shop.resolve(), ["alpha"], shop.said.append)
    assert shop.start("beta") != beta


def test_a_stack_of_another_engine_is_refused_with_the_way_out(shop):
    shop.up()
    config = shop.folder / "config" / "shop.yaml"
    config.write_text(config.read_text() + "engine: compose\n")
    with pytest.raises(StackproofError) as caught:
        shop.up()
    assert "shop-e2e is up on the process engine" in str(caught.value)
    assert "invoke down --engine process" in str(caught.value)
    config.write_text(config.read_text().replace("engine: compose\n", ""))


def test_a_service_that_is_no_longer_in_the_file_is_removed(shop):
    shop.up()
    assert shop.processes("beta")
    del shop.services["beta"]
    stack = shop.up()
    assert "changed: beta: removed from the stack" in shop.said
    assert [state.name for state in stack.running.status()] == ["alpha", "gamma"]
    assert not shop.processes("beta")
    assert [state.name for state in shop.up().running.status()] == ["alpha", "gamma"]
    assert "shop-e2e is up already and nothing has changed; it is reused" in shop.said


def test_a_service_that_ends_with_status_0_is_no_start(shop):
    shop.services["beta"] = {"environment": {"GREETING": "bye"}, "restart": "no"}
    with pytest.raises(ServiceExited) as caught:
        shop.up()
    assert "beta exited with status 0" in str(caught.value)
    assert "one_shots" in str(caught.value)


@pytest.mark.parametrize("how", ["setting", "awaited"])
def test_a_one_shot_may_end(shop, how):
    shop.services["beta"] = {"environment": {"GREETING": "bye"}, "restart": "no"}
    if how == "setting":
        config = shop.folder / "config" / "shop.yaml"
        config.write_text(config.read_text() + "one_shots: [beta]\n")
    else:
        done = {"beta": {"condition": "service_completed_successfully"}}
        shop.services["alpha"]["depends_on"] = done
    stack = shop.up()
    assert stack.service("beta").state().state == "completed"
    stack.require_alive()


def test_a_wait_ends_as_soon_as_a_service_has_ended_by_itself(shop):
    shop.services["beta"]["restart"] = "no"
    path = shop.folder / "beta" / "program.py"
    path.write_text(path.read_text().replace("signal.pause()", WAITS_FOR_FILE))
    stack = shop.up()
    stack.wait_until(lambda: True, timeout=5, what="something")
    assert not stack.service("beta").exec(["touch", "end"]).exit_code
    with pytest.raises(ServiceEnded) as caught:
        stack.wait_until(lambda: False, timeout=60, what="an answer", retry_on=(Exception,))
    assert "beta has ended by itself" in str(caught.value)
    assert "beta: exited with status 3" in str(caught.value)
    assert "  | nothing works" in str(caught.value)
    with pytest.raises(ServiceEnded):
        stack.require_alive()
    stack.may_end("beta")
    stack.require_alive()


def test_what_a_test_ends_may_end_until_it_is_started_again(shop):
    shop.services["beta"]["restart"] = "no"
    stack = shop.up()
    beta = stack.service("beta")
    beta.kill()
    stack.wait_until(lambda: beta.state().state == "exited", timeout=10, what="the end")
    stack.require_alive()
    beta.start()
    stack.require_alive()
    stack.running.control("kill", ["beta"])
    with pytest.raises(ServiceEnded):
        stack.wait_until(lambda: False, timeout=30, what="nothing")
    shop.up()
    assert "starting beta again: was ended by SIGKILL" in shop.said


def test_a_watch_follows_edits_until_its_stack_is_taken_down(shop):
    on_alpha = {"alpha": {"condition": "service_started", "restart": True}}
    rules = [
        {"action": "sync+exec", "path": "./texts", "target": "/made/texts",
         "exec": {"command": "cp /made/texts/a /made/copy"}},
        {"action": "rebuild", "path": "./gamma/program.py"},
    ]  # fmt: skip
    shop.services["beta"]["depends_on"] = on_alpha
    shop.services["gamma"]["develop"] = {"watch": rules}
    (shop.folder / "texts").mkdir()
    stack = shop.up()
    said = []

    def edit(expected, change):
        before = len(said)
        change()
        wait_until(
            lambda: ended.done() or any(expected in line for line in said[before:]),
            timeout=180, what=expected,
        )  # fmt: skip
        assert not ended.done(), ended.exception()

    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(watch, shop.resolve(), said.append)
        try:
            gamma = shop.start("gamma")
            edit("alpha → beta → healthy after", lambda: shop.change_source("alpha", 2))
            assert said[0].startswith("alpha/program.py → alpha → healthy after")
            broken = shop.folder / "alpha" / "program.py"
            edit("SyntaxError", lambda: broken.write_text("print("))
            assert "the next edit is tried again" in said[-1]
            edit("alpha/program.py → alpha → healthy", lambda: shop.change_source("alpha", 3))
            assert shop.told("alpha")["version"] == 3
            shop.services["beta"]["environment"] = {"GREETING": "hi"}
            edit("GREETING: hello → hi → beta → healthy", shop.write)
            (shop.folder / "gamma" / "ignored.py").write_text("")
            edit("texts/a → gamma → synced", (shop.folder / "texts" / "a").touch)
            assert stack.service("gamma").exec(["ls", "/made"]).stdout.split() == ["copy", "texts"]
            assert shop.start("gamma") == gamma
            edit("program.py → gamma → healthy", lambda: shop.change_source("gamma", 2))
        finally:
            shop.down()
        ended.result(timeout=180)
    assert said[-1] == "shop-e2e is not up any more; the watch has ended"


TESTS = """
from stackproof import wait_until
def test_waits(running_stack):
    assert not running_stack.service("beta").exec(["touch", "end"]).exit_code
    wait_until(lambda: False, timeout=60, what="an answer", retry_on=(Exception,))
def test_comes_later(running_stack):
    raise AssertionError("is not run")
"""


def run_tests(shop, text):
    (shop.folder / "test_it.py").write_text(text)
    pytest_command = [sys.executable, "-m", "pytest", "-q", "test_it.py", "--stack=shop"]
    state = {"STACKPROOF_STATE_DIR": str(shop.outer / "state")}
    done = subprocess.run(
        pytest_command, cwd=shop.folder, env={**os.environ, **state}, text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout


LEAVES_DOWN = """
import pytest

def test_stops(running_stack):
    running_stack.service("alpha").ACTION()
    assert running_stack.service("alpha").state().state != "running"

def test_comes_later(running_stack):
    raise AssertionError("is not run")

def test_starts_again(request):
    request.getfixturevalue("running_stack").service("alpha").BACK()

def test_comes_last(running_stack):
    pass

def test_cuts(running_stack):
    running_stack.network.cut("alpha", "beta")

def test_meets_the_cut(running_stack):
    raise AssertionError("is not run")

def test_heals(request):
    request.getfixturevalue("running_stack").network.heal()

def test_meets_nothing(running_stack):
    with running_stack.network.cut("alpha", "beta"):
        pass
"""


@pytest.mark.parametrize(
    ("action", "back"), [("stop", "start"), ("kill", "start"), ("pause", "unpause")]
)
def test_what_a_test_leaves_out_of_action_or_broken_fails_the_next_one(shop, action, back):
    shop.services["alpha"]["restart"] = "no"
    shop.up()
    said = run_tests(shop, LEAVES_DOWN.replace("ACTION", action).replace("BACK", back))
    assert said.count("alpha is out of action since an earlier test of the same stack") >= 1
    assert "it was well before test_it.py::test_stops" in said
    assert "nothing passes between alpha and beta\n" in said
    assert "it was broken by test_it.py::test_cuts" in said
    assert "6 passed, 2 errors" in said
    assert "is not run" not in said


def test_a_dead_service_fails_the_test_that_waits_and_each_one_after_it(shop):
    shop.services["beta"]["restart"] = "no"
    path = shop.folder / "beta" / "program.py"
    path.write_text(path.read_text().replace("signal.pause()", WAITS_FOR_FILE))
    shop.up()
    said = run_tests(shop, TESTS)
    assert said.count("beta has ended by itself") >= 2
    assert "  | nothing works" in said
    assert "1 failed" in said
    assert "1 error" in said
    assert "is not run" not in said


def test_a_new_service_gets_a_free_port_and_a_changed_one_the_files(shop, free_ports):
    shop.services["alpha"]["ports"] = [f"{free_ports[0]}:8000"]
    shop.services["alpha"]["x-stackproof"] = {
        **shop.usual("alpha")["x-stackproof"], "ready": {"alive": 0.1}
    }  # fmt: skip
    shop.up()
    shop.services["alpha"]["ports"] = [f"{free_ports[1]}:8000"]
    stack = shop.up()
    assert stack.plan.ports["alpha", 8000] == free_ports[1]
    shop.services["beta"]["expose"] = ["9000"]
    stack = shop.up()
    assert stack.plan.ports["beta", 9000] > 0
    assert resolve(shop.resolve().request).plan.ports == stack.plan.ports


def test_a_port_that_is_taken_is_found_before_anything_starts_or_changes(shop, free_ports):
    ready = {**shop.usual("alpha")["x-stackproof"], "ready": {"alive": 0.1}}
    config = shop.folder / "config" / "shop.yaml"
    text = config.read_text()
    with socket.create_server(("127.0.0.1", free_ports[0])) as stranger:
        config.write_text(f"{text}ports: {{alpha: {{8000: {free_ports[0]}}}}}\n")
        shop.services["alpha"] = {"expose": ["8000"], "x-stackproof": ready}
        with pytest.raises(PortTaken) as caught:
            shop.up()
        assert f"alpha can't have port {free_ports[0]}" in str(caught.value)
        assert "config/shop.yaml:4: ports.alpha" in str(caught.value)
        assert f"process {os.getpid()}" in str(caught.value)
        assert not shop.resolve().run.path.exists()
        config.write_text(text)
        shop.services["alpha"] = {}
        shop.up()
        start = shop.start("alpha")
        port = stranger.getsockname()[1]
        shop.services["alpha"] = {"ports": [f"{port}:8000"], "x-stackproof": ready}
        with pytest.raises(PortTaken, match=r"services\.alpha\.ports\[0\]"):
            shop.up()
        assert shop.start("alpha") == start


def test_what_is_taken_back_after_a_failed_up_runs_as_before(shop):
    shop.services["beta"]["restart"] = "no"
    shop.up()
    shop.services["beta"]["environment"] = {"GREETING": "bye"}
    with pytest.raises(ServiceExited):
        shop.up()
    del shop.services["beta"]["environment"]
    shop.up()
    assert shop.told("beta")["env"]["GREETING"] == "hello"
    assert "changed: beta: its last start did not come to its end" in shop.said


def test_a_restart_removes_nothing(shop):
    shop.up()
    del shop.services["beta"]
    shop.write()
    lifecycle.restart(shop.resolve(), ["alpha"], shop.said.append)
    assert shop.processes("beta")
    shop.up()
    assert not shop.processes("beta")


def test_restart_takes_a_new_lock(shop):
    own = {**shop.usual("beta")["x-stackproof"]}
    del own["environment_of"]
    shop.services["beta"]["x-stackproof"] = own
    lock = shop.folder / "beta" / "requirements.txt"
    lock.write_text("")
    shop.up()
    before = shop.told("beta")["env"]["VIRTUAL_ENV"]
    wheel = shop.folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        for name, text in WHEEL.items():
            file.writestr(f"thing-1.0.dist-info/{name}", text)
    lock.write_text(f"thing @ file://{wheel}\n")
    lifecycle.restart(shop.resolve(), ["beta"], shop.said.append)
    assert "changed: beta: 1 file changed since it was started (requirements.txt)" in shop.said
    after = Path(shop.told("beta")["env"]["VIRTUAL_ENV"])
    assert str(after) != before
    assert list(after.glob("lib/*/site-packages/thing-1.0.dist-info"))


WHEEL = {
    "METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
    "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "RECORD": "",
}

NAMES = ("alpha", "beta", "gamma", "delta")
WORDS = st.sampled_from(["a", "b", "c"])
EDITS = st.one_of(
    st.tuples(st.sampled_from(["greeting", "arguments", "setting"]), st.sampled_from(NAMES), WORDS),
    st.tuples(st.just("source"), st.sampled_from(NAMES), st.integers(1, 3)),
    st.tuples(st.just("listed"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("depends"), st.sampled_from(NAMES), st.sampled_from([None, False, True])),
    st.tuples(st.just("port"), st.sampled_from(NAMES), st.booleans()),
)


def edit(shop, what, name, value):
    """Change the sources, the stack file or the stack config, as a person does."""
    config = shop.folder / "config" / "shop.yaml"
    (shop.folder / name).mkdir(exist_ok=True)
    path = shop.folder / name / "program.py"
    if what == "source" or not path.exists():
        shop.change_source(name, value if what == "source" else 1)
    if what == "setting":
        kept = config.read_text().partition("environment:")[0]
        config.write_text(f"{kept}environment: {{alpha: {{PORT: {value}}}}}\n")
    elif what == "listed" and value:
        shop.services.setdefault(name, {})
    elif what == "listed" and name != "alpha":
        shop.services.pop(name, None)
    service = shop.services.get(name, {})
    if what == "greeting":
        service["environment"] = {"GREETING": value}
    elif what == "arguments":
        service["x-stackproof"] = shop.usual(name, value)["x-stackproof"]
    elif what == "depends" and name != "alpha":
        condition = {"condition": "service_healthy", "restart": value}
        service["depends_on"] = {} if value is None else {"alpha": condition}
    elif what == "port":
        service["expose"] = ["8000"] if value else []


def seen(shop, project=None):
    """What runs: each service as it tells of itself, and as the engine does."""
    stack = lifecycle.connect(shop.resolve(project))
    states = {state.name: (state.state, state.health) for state in stack.running.status()}
    told = {name: {**shop.told(name, project), "start": ""} for name in states}
    for one in told.values():  # a port differs from run to run
        one["env"]["PORT"] = re.sub(r"\d+", "a port", one["env"]["PORT"] or "")
    return states, told, [port[0] for port in stack.plan.ports]


@settings(
    max_examples=8, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(edits=st.lists(EDITS, min_size=1, max_size=8))
def test_after_any_edits_up_gives_what_a_fresh_up_would(shop, edits):
    for change in edits:
        edit(shop, *change)
    shop.up()
    lifecycle.up(shop.resolve("fresh-e2e"), shop.said.append)
    try:
        assert seen(shop) == seen(shop, "fresh-e2e")
    finally:
        lifecycle.down(
            shop.resolve("fresh-e2e"), shop.said.append, force=True, disposable=True
        )  # fmt: skip


def described(shop):
    """The runs of `up` that were kept as artifacts."""
    return {path.name for path in (shop.folder / ".artifacts" / "up").iterdir()} - {"latest"}


def test_a_stack_that_is_as_it_was_is_not_described_again(shop):
    shop.up()
    before = described(shop)
    shop.up()
    assert "is up already and nothing has changed" in shop.said[-1]
    assert described(shop) == before
    assert len(before) == 1


@pytest.mark.parametrize("what", ["source", "process", "artifacts", "newer failure", "plan"])
def test_a_stack_that_is_not_what_was_kept_is_described_again(shop, what):
    stack = shop.up()
    before, folder = described(shop), shop.folder / ".artifacts" / "up"
    if what == "source":
        shop.change_source("alpha", 2)
    elif what == "process":
        stack.running.control("restart", ["alpha"])
    elif what == "artifacts":
        (folder / "latest" / "plan.json").unlink()
    elif what == "newer failure":
        new_run(folder.parent, "up", Redactor())
        before = described(shop)
    else:
        (shop.folder / "config" / "shop.yaml").write_text(
            "stack: shop\ncompose_files: [../compose.yaml]\ntimeouts: {start: 60}\n"
            "seed: {service: alpha, command: [python, --version]}\n"
        )
    shop.up()
    assert len(described(shop) - before) == 1
