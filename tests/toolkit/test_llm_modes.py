"""`nox -s e2e_llm` in a stranger's project, with a second gateway in the place of the provider."""

import json
import os
import re
import subprocess
import sys
import textwrap
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx
import pytest

from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

KEY = "sk-canary-0123456789abcdef"
FILES = {
    "compose.yaml": """\
        services:
          model:
            image: stackproof-gateway
            environment:
              GATEWAY_LLM: ${GATEWAY_LLM:-fake}
              GATEWAY_OPENAI_KEY: ${GATEWAY_OPENAI_KEY:-}
              GATEWAY_OPENAI_URL: ${GATEWAY_OPENAI_URL:-}
              GATEWAY_BUDGET_USD: ${GATEWAY_BUDGET_USD:-}
              GATEWAY_CASSETTES: /cassettes
              GATEWAY_LEDGER: /ledger/llm.json
            volumes:
              - ${GATEWAY_CASSETTES:-cassettes}:/cassettes
              - ${GATEWAY_LEDGER_FOLDER:-ledger}:/ledger
            user: ${GATEWAY_USER:-}
            ports: ["4000"]
            healthcheck: {test: [CMD, curl, -f, "http://localhost:4000/health"]}
            x-stackproof:
              environment_of: stackproof
              command: [python, -m, stackproof_gateway, --host, 0.0.0.0, --port, "4000"]
        volumes: {cassettes: , ledger: }
        """,
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        gateway: {service: model}
        external: ["PROVIDER"]
        """,
    "noxfile.py": """\
        from pathlib import Path
        from stackproof.sessions import Project, define_sessions
        define_sessions(Project(root=Path(__file__).parent, packages=()))
        """,
    "tests/e2e_llm/test_answers.py": """\
        import os, httpx, pytest
        pytestmark = pytest.mark.e2e_llm
        @pytest.mark.parametrize("text", os.environ.get("TEXTS", "one two").split())
        def test_answers(gateway, text):
            body = {"model": "gpt-4o-mini", "max_tokens": 50,
                    "messages": [{"role": "user", "content": text}]}
            answer = httpx.post(f"{gateway.openai_base_url}/chat/completions", json=body,
                                headers={"authorization": "Bearer x"})
            assert answer.status_code == 200, answer.json()["error"]["message"]
            assert answer.json()["choices"][0]["message"]["content"] == f"echo: {text}"
        """,
}

THIS_MACHINE = "host.docker.internal"
"""What services call it."""


class Shop:
    """A project, and what a person types in it."""

    def __init__(self, folder, provider, state):
        self.folder, self.provider, self.state = folder, provider, state
        bin_folder = str(Path(sys.executable).parent)
        own = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
        self.environment = {
            **own,
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "STACKPROOF_STATE_DIR": str(state),
            "PYTEST_ADDOPTS": f"-p no:cacheprovider {os.environ['PYTEST_ADDOPTS']}",
        }
        for name, text in FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).replace("PROVIDER", provider))

    @property
    def key(self):
        return {"GATEWAY_OPENAI_KEY": KEY, "GATEWAY_OPENAI_URL": f"http://{self.provider}/v1"}

    def nox(self, *arguments, code=0, **environment):
        """Run the session; give back all that it says."""
        done = subprocess.run(
            [sys.executable, "-m", "nox", "--no-venv", "-s", "e2e_llm", "--", *arguments],
            cwd=self.folder, env={**self.environment, **environment}, text=True,
            capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        assert KEY not in said
        return said

    def kept(self, name):
        return json.loads((self.folder / ".artifacts/e2e_llm/latest" / name).read_text())


@pytest.fixture(scope="module")
def provider():
    """A gateway that plays the provider."""
    held = []
    [port] = claim(1, held)
    command = [sys.executable, "-m", "stackproof_gateway", "--port", str(port),
               "--allowed-host", THIS_MACHINE]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        try:
            local = f"http://127.0.0.1:{port}"
            wait_until(partial(answers, local), timeout=30, what="the provider serves")
            yield f"{THIS_MACHINE}:{port}"
        finally:
            running.terminate()
            for one in held:
                one.close()


def answers(url):
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


@pytest.fixture
def shop(tmp_path, provider):
    made = Shop(tmp_path, provider, tmp_path / "state")
    yield made
    for run in find_runs(made.state):
        take_down(RunFolder(made.state, run.project), seconds=5)


def test_what_was_recorded_is_replayed_and_what_was_not_fails_with_the_difference(shop):
    said = shop.nox("--llm", "record", "--budget-usd", "0.50", **shop.key)
    assert "2 passed" in said
    assert "model calls: 2 in 2 tests, 6 tokens, $0.000003" in said
    assert "of $0.50, 2 requests, 6 tokens, 0 refused" in said
    recordings = [path.read_text() for path in shop.folder.glob("tests/cassettes/shop/*.yaml")]
    assert len(recordings) == 2
    assert not any(KEY in text for text in recordings)
    assert [one["requests"] for one in shop.kept("llm-costs.json")] == [1, 1]

    said = shop.nox("--llm", "replay")
    assert "2 passed" in said
    said = shop.nox("--llm", "replay", "-k", "two")
    assert "1 passed" in said
    said = shop.nox("--llm", "replay", code=1, TEXTS="one three")
    assert "1 failed, 1 passed" in said
    assert "was not recorded" in said
    assert "-    content: one" in said or "-    content: two" in said
    assert "+    content: three" in said

    asked_from_here = {
        key: text.replace(THIS_MACHINE, "127.0.0.1") for key, text in shop.key.items()
    }
    check = ("--llm", "check", "--budget-usd", "0.50")
    said = shop.nox(*check, **asked_from_here)
    assert "check: unchanged (0 removed, 0 type changed, 0 added, 0 text only)" in said
    [path, _] = sorted(shop.folder.glob("tests/cassettes/shop/*.yaml"))
    path.write_text(path.read_text().replace("object: chat.completion", "object: 1"))
    said = shop.nox(*check, code=1, **asked_from_here)
    assert f"{path.name}: body.object: number -> string (type changed)" in said
    assert "check: type changed (0 removed, 1 type changed" in said


def test_a_replay_that_leaves_out_recorded_calls_or_all_fails_unless_that_is_allowed(shop):
    path = shop.folder / "tests/e2e_llm/test_answers.py"
    asks_twice = path.read_text().replace(
        "answer = httpx", 'calls = 1 if os.environ.get("LESS") else 2\n    for _ in range(calls):\n'
        '        body["seed"] = _\n        answer = httpx'
    )  # fmt: skip
    path.write_text(asks_twice)
    shop.nox("--llm", "record", "--budget-usd", "0.50", TEXTS="one", **shop.key)
    shop.nox("--llm", "replay", TEXTS="one")
    said = shop.nox("--llm", "replay", code=1, TEXTS="one", LESS="1")
    assert "passed without model calls that were recorded of it" in said
    assert "not asked: chat-completions-gpt-4o-mini-" in said
    shop.nox("--llm", "replay", "--allow-unused", TEXTS="one", LESS="1")

    path.write_text("import pytest\n@pytest.mark.e2e_llm\ndef test_nothing(running_stack): pass\n")
    said = shop.nox("--llm", "replay", code=1)
    assert "1 passed" in said
    assert "the replay has tested nothing" in said
    shop.nox("--llm", "replay", "--allow-unused")


def test_live_within_the_budget_leaves_the_bill(shop):
    said = shop.nox("--llm", "live", "--budget-usd", "0.50", **shop.key)
    assert "2 passed" in said
    bill = shop.kept("bill.json")
    assert bill["requests"] == 2
    assert 0 < Decimal(bill["usd"]) < Decimal("0.50")
    assert shop.kept("llm-costs.json")[0]["usd"] > 0


CLIENT = """\
  app:
    image: client
    environment: {OPENAI_BASE_URL: "http://model:4000/v1", OPENAI_API_KEY: sk-local}
    x-stackproof:
      environment_of: stackproof
      command: [sh, -c, 'echo "asks $$OPENAI_BASE_URL"; exec sleep infinity']
"""
ASKING_SERVICE = '''\
import os, pytest
pytestmark = pytest.mark.e2e_llm
CODE = """
import json, os, urllib.error, urllib.request
body = {"model": "gpt-4o-mini", "max_tokens": 50, "messages": [{"role": "user", "content": "one"}]}
def ask(url):
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    data = json.dumps(body).encode()
    request = urllib.request.Request(url + "/chat/completions", data, headers)
    try:
        return urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code
url = os.environ["OPENAI_BASE_URL"]
front, _, rest = url.partition("/k/")
print(ask(url), ask(front + "/v1"))
"""
def test_a_service_asks(running_stack, gateway):
    done = running_stack.service("app").exec(["python", "-c", CODE])
    assert done.stdout.splitlines()[-1] == "200 401", done
    assert [one.status for one in running_stack.gateway.requests()] == [200]
    open(os.environ["TOLD"], "w").write(running_stack.plan.gateway_token)
    assert not os.environ.get("FAILS")
'''


def test_a_service_that_knows_a_base_url_and_a_key_carries_the_token_which_is_kept_nowhere(shop):
    path = shop.folder / "compose.yaml"
    path.write_text(path.read_text().replace("volumes: {cass", CLIENT + "volumes: {cass"))
    (shop.folder / "tests/e2e_llm/test_answers.py").write_text(ASKING_SERVICE)
    told = shop.folder / "told"
    options = ("--llm", "live", "--budget-usd", "0.50")
    said = shop.nox(*options, code=1, TOLD=str(told), FAILS="1", **shop.key)
    assert "1 failed" in said
    assert "assert not" in said
    token = told.read_text()
    assert len(token) == 32
    assert token not in said
    kept = [one for one in (shop.folder / ".artifacts").rglob("*") if one.is_file()]
    assert len(kept) > 5
    assert not [one for one in kept if token.encode() in one.read_bytes()]
    log = (shop.folder / ".artifacts/e2e_llm/latest/logs/app.log").read_text()
    assert re.search(r"asks http://\S+:\d+/k/\*{8}/v1", log)


def test_a_spent_budget_ends_the_session_with_a_sentence_and_the_bill(shop):
    texts = f"one {'x' * 300} never"
    said = shop.nox("--llm", "live", "--budget-usd", "0.00006", code=1, TEXTS=texts, **shop.key)
    assert "Interrupted: The budget of $0.00006 does not allow this call" in said
    assert "1 failed, 1 passed" in said
    assert "bill: $0.00000" in said
    assert "1 requests, 3 tokens, 1 refused" in said
    assert not any("never" in one["test"] for one in shop.kept("llm-costs.json"))


def test_a_stack_that_does_not_pass_the_choice_on_is_told_before_a_test_runs(shop):
    path = shop.folder / "compose.yaml"
    path.write_text(path.read_text().replace("GATEWAY_LLM: ${GATEWAY_LLM:-fake}", "X: y"))
    said = shop.nox("--llm", "live", "--budget-usd", "0.50", code=1, **shop.key)
    assert "--llm live did not reach the stack's gateway" in said
    assert "answers in the mode fake" in said
    assert "test session starts" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nox -s e2e_llm -- --llm fake"),
        (["--llm", "replay"], "there are none in"),
        (["--llm", "live", "--budget-usd", "1"], "asks a real provider, so it needs its key"),
        (["--llm", "live"], "needs a budget"),
    ],
)
def test_without_a_choice_or_what_it_needs_the_session_explains_and_refuses(
    shop, arguments, message
):
    said = shop.nox(*arguments, code=1)
    assert message in said
    assert not shop.state.exists()
    assert not (shop.folder / ".artifacts").exists()
