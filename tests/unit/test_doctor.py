"""`invoke doctor` names each place that can't be used, with the setting that chooses another."""

import os
import socket
from types import SimpleNamespace

import pytest

from stackproof.engines.process.fork_server.forker import stack_of
from stackproof.engines.process.fork_server.known import Approved, Known, keep, note
from stackproof.lifecycle import StackRequest
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.settings.model import Isolation
from stackproof.tasks.doctor import docker, examine, machine, places
from stackproof.tasks.doctor.warm_starts import warm_starts

NOWHERE = "/proc/stackproof"
"""Nobody can write there, root included."""


@pytest.fixture
def request_with(tmp_path):
    tmp_path.chmod(0o755)

    def make(**environment):
        known = {
            "HOME": str(tmp_path),
            "PATH": os.environ["PATH"],
            "STACKPROOF_CACHE_DIR": str(tmp_path / "cache"),
            "STACKPROOF_STATE_DIR": str(tmp_path / "state"),
        }
        return StackRequest(root=tmp_path, environment=known | environment)

    return make


@pytest.mark.parametrize(
    ("look", "variable", "value", "verdict"),
    [
        (places.home, "HOME", "/nowhere", "weaker"),
        (places.home, "HOME", "", "weaker"),
        (places.cache, "STACKPROOF_CACHE_DIR", NOWHERE, "missing"),
        (places.state, "STACKPROOF_STATE_DIR", NOWHERE, "missing"),
        (places.project, "STACKPROOF_ARTIFACTS", NOWHERE, "missing"),
        (places.cache, "STACKPROOF_CACHE_DIR", "/dev/null", "missing"),
    ],
)
def test_a_place_that_can_not_be_used_is_named_with_its_setting(
    request_with, look, variable, value, verdict
):
    found = look(request_with(**{variable: value}))
    assert found.verdict == verdict
    assert variable in found.remedy


@pytest.mark.parametrize("look", [places.home, places.project, places.umask, places.disk])
def test_places_that_can_be_used_are_in_order(request_with, look):
    assert look(request_with()).verdict == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")
@pytest.mark.parametrize("variable", ["STACKPROOF_CACHE_DIR", "STACKPROOF_STATE_DIR"])
def test_a_folder_that_servers_can_not_pass_through_is_named_with_the_command(
    request_with, variable, tmp_path
):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (tmp_path / "config").mkdir()
    (tmp_path / "compose.yaml").write_text("services: {db: {image: 'redis:7'}}\n")
    (tmp_path / "config/shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    findings = list(examine(request_with(**{variable: str(closed / "inner")})))
    assert [found for found in findings if f"`chmod o+x {closed}`" in found.remedy]


def test_an_output_that_lacks_letters_is_named_with_the_variable(request_with, monkeypatch):
    monkeypatch.setattr("sys.stdout", SimpleNamespace(encoding="ascii"))
    assert "PYTHONIOENCODING" in places.streams(request_with()).remedy


def test_a_wrong_configuration_is_one_of_the_findings(request_with):
    *_, last = examine(request_with())
    assert (last.verdict, last.subject) == ("missing", "configuration")


def test_a_socket_that_this_user_may_not_open_is_told_with_the_group(tmp_path, monkeypatch):
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        assert docker._no_right(f"unix://{path}") is None
        monkeypatch.setattr("os.access", lambda *_: False)  # root may open each one
        found = docker._no_right(f"unix://{path}")
    assert f"may not open {path}" in found.observed
    assert f"usermod -aG {path.group()}" in found.remedy


def test_a_docker_engine_that_does_not_answer_is_missing(request_with):
    findings = {found.subject: found for found in docker.examine_docker(
        request_with(DOCKER_HOST="tcp://127.0.0.1:9"))}  # fmt: skip
    assert findings["Docker"].verdict == "missing"
    assert "--engine process" in findings["Docker"].remedy


def client(*, pools, networks=(), folder="/"):
    info = {"DefaultAddressPools": pools, "DockerRootDir": folder}
    listed = [{"IPAM": {"Config": [{"Subnet": subnet}]}} for subnet in networks]
    return SimpleNamespace(info=lambda: info, api=SimpleNamespace(networks=lambda: listed))


def test_address_pools_that_are_used_up_are_missing():
    pools = [{"Base": "10.9.0.0/23", "Size": 24}]
    assert docker._addresses(client(pools=pools)).observed == "2 more can be made"
    taken = client(pools=pools, networks=("10.9.0.0/24", "10.9.1.0/24"))
    assert docker._addresses(taken).verdict == "missing"


def test_the_disk_of_docker_is_measured_where_it_can_be_seen(monkeypatch):
    assert "can't be looked into" in docker._disk(client(pools=[], folder="/nowhere")).observed
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert docker._disk(client(pools=[])).verdict == "missing"


def test_a_machine_that_allows_no_private_world_is_told_with_the_step_and_what_would_allow_it(
    request_with, monkeypatch
):
    refusal = "make a bridge: Operation not permitted; let root set it: sysctl a=1; sysctl b=2"
    monkeypatch.setattr(machine, "refusal", lambda _: refusal)
    found = machine.private_world(request_with())
    assert found.verdict == "weaker"
    assert "not allowed here (make a bridge: Operation not permitted)" in found.observed
    assert found.remedy == "let root set it: sysctl a=1; sysctl b=2"
    monkeypatch.setattr(machine, "refusal", lambda _: "")
    assert machine.private_world(request_with()).verdict == "ok"


AUTO = Isolation(preload="auto")


@pytest.fixture
def starts(tmp_path):
    """What `doctor` says of the starts of a service in tests."""

    def told(isolation=AUTO, world="private", **fields):
        runtime = Runtime("project", project=tmp_path)
        service = ServicePlan("web", ("serve",), {}, runtime=runtime, **fields)
        plan = SimpleNamespace(stack="shop", services=(service,), world=world)
        settings = SimpleNamespace(isolation=isolation, cache=tmp_path)
        (found,) = warm_starts(SimpleNamespace(plan=plan, settings=settings))
        return found

    return told


def known_as(tmp_path, known, approved=None):
    runtime = SimpleNamespace(project=tmp_path)
    stack = stack_of(SimpleNamespace(stack="shop"), SimpleNamespace(runtime=runtime))
    note(tmp_path, stack, "web", known)
    if approved is not None:
        keep(tmp_path, known.key, approved)


def test_warm_starts_that_are_off_or_can_not_be_are_one_line(starts):
    assert starts(Isolation(preload="off")).observed == "off (`isolation.preload`)"
    assert starts(world="host").observed == "none: they need a private world"


def test_what_keeps_a_service_cold_is_told(starts, tmp_path):
    assert starts(preload="off").observed == "cold: `preload: off`"
    assert starts(one_shot=True).observed == "cold: it is a one-shot"
    isolation = Isolation(preload="auto", cold=("web",))
    assert starts(isolation).observed == "cold: `isolation.cold` names it"
    known_as(tmp_path, Known(cold="sh is no Python program of its virtualenv"))
    assert starts().observed == "cold: sh is no Python program of its virtualenv"


def test_what_is_not_known_of_a_start_is_said(starts, tmp_path):
    told = "not known yet: its second start in tests finds it out"
    assert starts().observed == told
    known_as(tmp_path, Known("key"))
    assert starts().observed == told


def test_what_is_imported_ahead_is_told_with_what_is_not(starts, tmp_path):
    known_as(tmp_path, Known("key"), Approved(("a", "b"), {"c": "its import opens /x"}))
    assert starts().observed == (
        "warm: 2 modules are imported ahead, but not c (its import opens /x)"
    )


def test_a_service_that_failed_as_a_fork_is_told_with_the_way_to_try_again(starts, tmp_path):
    known_as(tmp_path, Known("key"), Approved(cold="a fork exited with status 1"))
    found = starts()
    assert (found.verdict, found.observed) == ("weaker", "cold: a fork exited with status 1")
    assert found.remedy == f"to try it again, remove {tmp_path}/preload/key.json"
