"""A run's scripts and faults are taken back when the run ends, however it ends."""

import contextlib
import ssl
import subprocess
import sys
import threading

import openai
import pytest
from packages.gateway.tests.rig import TOKEN

from stackproof.waiting import wait_until
from stackproof_gateway.client import GatewayClient
from stackproof_gateway.client_lease import Lease

CONTEXT = ssl.create_default_context()


@pytest.fixture
def leased(server, gateway):
    """Makes clients of the test's namespace that belong to a run, each to one of its own."""
    with contextlib.ExitStack() as stack:

        def make():
            lease = stack.enter_context(contextlib.closing(Lease(server, TOKEN)))
            made = GatewayClient(server, gateway.namespace, TOKEN, lease=lease)
            return stack.enter_context(contextlib.closing(made)), lease

        yield make


def said(client, text="hello", model="m"):
    messages = [{"role": "user", "content": text}]
    answer = client.with_options(max_retries=0).chat.completions.create(
        model=model, messages=messages
    )
    return answer.choices[0].message.content


def scripts(gateway):
    return [script["name"] for script in gateway._ask("scripts")["scripts"]]


def test_the_scripts_of_a_run_go_with_it_and_those_of_others_stay(gateway, client, leased):
    gateway.when(text="mine").reply("stays")
    (one, lease), (other, _) = leased(), leased()
    one.when(text="hello").reply("of one", delay=0.01)
    other.when(text="hello").reply("of the other")
    assert said(client) == "of one"
    lease.close()
    wait_until(lambda: len(scripts(gateway)) == 2, timeout=10, what="the script is taken back")
    assert [said(client), said(client, "mine")] == ["of the other", "stays"]
    assert other.when(text="new").reply("x") not in scripts(gateway)[:2]


def test_faults_signals_clock_and_limits_go_as_well(gateway, client, leased):
    before = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    gateway.when(after={"signal": "done"}).reply("after it")
    run, lease = leased()
    run.arm("always-fail")
    run.signal("done")
    run.advance_clock(1000)
    with pytest.raises(openai.InternalServerError):
        said(client)
    lease.close()
    wait_until(lambda: not gateway._ask("faults")["faults"], timeout=10, what="it is taken back")
    assert said(client) == "echo: hello"
    after = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    assert after.created - before.created < 1000


def test_a_call_that_a_run_holds_is_let_go_and_later_ones_are_not_held(gateway, client, leased):
    run, lease = leased()
    run.when(text="held").reply("held and let go", hold="gate")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(said(client, "held")))
    thread.start()
    wait_until(gateway.requests, timeout=10, what="it is held")
    lease.close()
    thread.join(timeout=20)
    assert answers == ["held and let go"]
    assert said(client, "held") == "echo: held"


RUN = """
import sys
from stackproof_gateway.client import GatewayClient
from stackproof_gateway.client_lease import Lease
url, namespace, token = sys.argv[1:]
client = GatewayClient(url, namespace, token, lease=Lease(url, token))
client.when().reply("left behind")
print("scripted", flush=True)
sys.stdin.read()
"""


def test_a_run_that_is_killed_leaves_nothing(server, gateway, client):
    argv = [sys.executable, "-c", RUN, server, gateway.namespace, TOKEN]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "scripted\n"
        assert said(client) == "left behind"
        run.kill()
    wait_until(lambda: scripts(gateway) == [], timeout=10, what="its script is taken back")
    assert said(client) == "echo: hello"


def test_a_lease_that_was_lost_is_said_instead_of_renewed(gateway, leased):
    run, lease = leased()
    run.when().reply("x")
    lease.close()
    wait_until(lambda: scripts(gateway) == [], timeout=10, what="it has ended")
    with pytest.raises(ValueError, match=r"lease of this run was lost.*run the tests again"):
        run.when().reply("y")
    with pytest.raises(ValueError, match="lease of this run was lost"):
        run.requests()


def test_a_run_goes_on_with_a_gateway_that_was_restarted(serve, leased):
    with contextlib.ExitStack() as first:
        url = first.enter_context(serve())
        lease = Lease(url, TOKEN)
        run = GatewayClient(url, "test", TOKEN, lease=lease)
        run.when().reply("x")
        lease.close()
    with serve() as again, contextlib.closing(lease), contextlib.closing(run):
        lease._base_url, run._http.base_url = again, again
        run.when().reply("y")
        assert scripts(run) == ["script-1"]


def test_a_client_reads_the_trusted_certificates_only_where_it_needs_them(monkeypatch):
    read = []
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: read.append(1) or CONTEXT)
    GatewayClient("http://127.0.0.1:4000", "x").close()
    assert not read
    GatewayClient("https://gateway.example", "x").close()
    assert read
