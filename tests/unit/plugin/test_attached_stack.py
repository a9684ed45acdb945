"""A stack that somebody else has started: what its addresses give, and what is refused."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request

import httpx
import pytest

from stackproof import lifecycle
from stackproof.errors import ConfigError, NotAttached
from stackproof.lifecycle import StackRequest
from stackproof.reaper.port_claims import claim
from stackproof.settings import explain
from stackproof.waiting import wait_until
from stackproof_gateway.client import GatewayClient

pytest_plugins = ["pytester"]

COMPOSE = (
    "services: {api: {image: 'shop:1'}, worker: {image: 'shop:1'}, db: {image: 'postgres:16'}}"
)
CONFIG = (
    "stack: shop\ncompose_files: [../compose.yaml]\nmigrate: {service: api, command: [migrate]}\n"
)
API = {"STACKPROOF_ATTACHED_API": "http://shop.example:8080"}
PASSWORD = "p4ss%2Fword"
TOKEN = "token-of-the-gateway"
DATABASE = {"STACKPROOF_ATTACHED_DB": f"postgresql://ann:{PASSWORD}@db.example/shop"}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yaml").write_text(CONFIG)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


@pytest.fixture
def attached(project):
    """What is resolved with these addresses."""

    def resolve(addresses=API):
        environment = {"STACKPROOF_STATE_DIR": str(project / "state"), **addresses}
        return lifecycle.resolve(StackRequest(project, environment, engine="attached"))

    return resolve


def silent(line):
    pass


def test_an_address_is_where_the_service_is_reached(attached):
    stack = lifecycle.connect(attached())

    assert stack.url("api") == "http://shop.example:8080"


def test_a_broker_of_somebody_else_can_be_attached(attached):
    stack = lifecycle.connect(attached({"STACKPROOF_ATTACHED_QUEUE": "amqp://mq.example"}))
    assert stack.url("queue") == "amqp://mq.example:5672"


def test_the_usual_port_of_a_scheme_need_not_be_said(attached):
    stack = lifecycle.connect(attached({"STACKPROOF_ATTACHED_API": "https://shop.example"}))

    assert stack.url("api") == "https://shop.example:443"


def test_a_database_is_reached_with_its_user_and_password(attached):
    stack = lifecycle.connect(attached(DATABASE))

    assert stack.dsn() == f"postgresql://ann:{PASSWORD}@db.example:5432/shop"
    argv, environment = stack.psql_command(["-c", "select 1"], "db")
    assert argv[3:9] == ["-h", "db.example", "-p", "5432", "-U", "ann"]
    assert environment == {"PGPASSWORD": "p4ss/word"}


def test_the_password_in_an_address_is_never_shown(attached):
    resolved = attached(DATABASE)

    shown = "\n".join(str(line) for line in explain(resolved.settings))
    assert PASSWORD not in shown
    assert {PASSWORD, "p4ss/word"} <= set(resolved.plan.secrets)


@pytest.mark.parametrize(
    "url",
    ["shop.example", "http://", "ftp://shop.example", "http://h:0", "http://h:x", "http://h/x"],
)
def test_an_address_that_cannot_be_read_is_an_error(attached, url):
    with pytest.raises(ConfigError, match="the address of api can't be read"):
        attached({"STACKPROOF_ATTACHED_API": url})


def test_an_attached_stack_without_an_address_is_an_error(attached):
    with pytest.raises(ConfigError, match="has no address of shop"):
        attached({})


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "pause", "unpause"])
def test_its_services_are_left_alone(attached, verb):
    service = lifecycle.connect(attached()).service("api")

    with pytest.raises(NotAttached, match=f"can't {verb} api, which it did not start"):
        getattr(service, verb)()


def test_no_command_but_psql_is_run(attached):
    with pytest.raises(NotAttached, match="can't run sh in api"):
        lifecycle.connect(attached()).service("api").exec(["sh"])


def test_it_is_neither_started_nor_migrated(attached):
    resolved = attached()

    with pytest.raises(NotAttached, match="can't start a stack that it only attaches to"):
        lifecycle.up(resolved, silent)
    with pytest.raises(NotAttached, match="can't migrate a stack that it only attaches to"):
        lifecycle.migrate(resolved, lifecycle.connect(resolved), silent)
    assert lifecycle.down(resolved, silent) is False


def test_a_test_that_needs_more_is_skipped_and_says_why(pytester, project, monkeypatch):
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(project / "state"))
    monkeypatch.setenv("STACKPROOF_ATTACHED_API", API["STACKPROOF_ATTACHED_API"])
    scenarios = project / "test_shop.py"
    scenarios.write_text("""
import pytest

def test_reaches_it(stack):
    assert stack.url("api") == "http://shop.example:8080"

def test_kills(stack):
    stack.service("api").kill()

def test_wants_another_service(stack):
    stack.url("worker")

def test_wants_the_gateway(gateway, stack):
    pass

@pytest.mark.stack(env={"api": {"DEBUG": "1"}})
def test_wants_an_environment(stack):
    pass
""")

    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--rootdir", project, "--engine", "attached", "-rs", scenarios
    )

    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*can't kill api, which it did not start*",
            "*the service worker is not attached*STACKPROOF_ATTACHED_WORKER*",
            "*the gateway of shop is not attached*",
            "*the test asks for env of its own*",
        ]
    )


@pytest.fixture
def llm(project, monkeypatch):
    """A gateway that somebody else has started, attached to as the service `llm`."""
    held = []
    (port,) = claim(1, held)
    url = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "GATEWAY_TOKEN": TOKEN}
    argv = [sys.executable, "-m", "stackproof_gateway", "--port", str(port)]
    (project / "compose.yaml").write_text("services: {llm: {image: 'llm:1'}}")
    (project / "config" / "shop.yaml").write_text(
        "stack: shop\ncompose_files: [../compose.yaml]\ngateway: {service: llm}\n"
    )
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(project / "state"))
    monkeypatch.setenv("STACKPROOF_ATTACHED_LLM", url)
    monkeypatch.setenv("GATEWAY_TOKEN", TOKEN)
    program = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
    with contextlib.closing(GatewayClient(url, "default", TOKEN)) as client:
        try:
            program.stdout.readline()
            wait_until(lambda: answers(url), timeout=60, what="the gateway answers")
            yield client
        finally:
            program.kill()
            program.communicate()
            held[0].close()


def answers(url):
    try:  # not by httpx: a run of pytest in this process may have loaded what it raises anew
        with urllib.request.urlopen(f"{url}/health", timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("end", "status"), [("", 0), ("raise KeyboardInterrupt", 2), ("os.kill(os.getpid(), 9)", -9)]
)
def test_a_run_leaves_no_script_and_no_fault_in_a_gateway(pytester, project, llm, end, status):
    llm.when(text="mine").reply("stays")
    scenarios = project / "test_shop.py"
    scenarios.write_text(f"""
import os

def test_scripts(running_stack):
    running_stack.gateway.when().reply("scripted", delay=60)
    running_stack.gateway.arm("slow-60s")
    other = running_stack.gateway_for("other")
    other.arm("always-fail")
    other.close()
    {end}
""")
    other = GatewayClient(llm.base_url, "other", TOKEN)

    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--rootdir", project, "--engine", "attached", scenarios
    )

    assert result.ret == status
    wait_until(lambda: llm.unused_scripts() == ["script-1"], timeout=10, what="it is taken back")
    assert llm.tell("faults", {"fault": "cut"}) == {"id": "armed-00000002"}
    with contextlib.closing(other):
        assert other.namespaces() == ["default", "other"]
        assert other._ask("faults")["faults"] == []


def test_a_failing_test_keeps_the_calls_that_a_product_with_one_key_made_meanwhile(
    pytester, project, llm
):
    asked = '{"model": "gpt-4o", "messages": []}'
    post = f"""httpx.post(
        "{llm.base_url}/v1/chat/completions", content='{asked}',
        headers={{"Authorization": "Bearer sk-one-for-all"}},
    )"""
    key = {"Authorization": "Bearer sk-one-for-all"}
    httpx.post(f"{llm.base_url}/v1/chat/completions", content=asked, headers=key)
    scenarios = project / "test_shop.py"
    scenarios.write_text(f"import httpx\n\ndef test_asks(running_stack):\n    assert not {post}\n")

    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--rootdir", project, "--engine", "attached", scenarios
    )

    result.stdout.fnmatch_lines(
        ["llm: answered 400 to POST /v1/chat/completions gpt-4o: Invalid 'messages': empty array*"]
    )
    (kept,) = (project / ".artifacts").rglob("gateway.json")
    assert [call["seq"] for call in json.loads(kept.read_text())] == [2]
