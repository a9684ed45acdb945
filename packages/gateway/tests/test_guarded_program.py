"""The gateway as a program: where it listens, what it prints, and what another user gets of it."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from packages.gateway.tests.rig import KEY, MODEL, TOKEN, ask

from stackproof.reaper.port_claims import claim
from stackproof.waiting import wait_until
from stackproof_gateway.client import GatewayClient


@pytest.fixture
def program(tmp_path):
    """Starts a gateway as a program, and gives back its address and its output."""
    held, running = [], []

    def start(*arguments, **environment):
        (port,) = claim(1, held)
        output = tmp_path / f"output-{port}"
        with output.open("w") as file:
            running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "stackproof_gateway", "--port", str(port), *arguments],
                    stdout=file,
                    stderr=file,
                    cwd=tmp_path,
                    env={**os.environ, **environment},
                )
            )
        url = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: httpx.get(f"{url}/health").status_code == 200,
            timeout=30,
            what="it serves",
            retry_on=(httpx.HTTPError,),
        )
        return url, output, running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
    for port in held:
        port.close()


def test_started_by_hand_it_prints_an_address_with_its_token(program):
    url, output, _ = program()
    (line,) = [line for line in output.read_text().splitlines() if "/k/" in line]
    address = next(word for word in line.split() if word.startswith(f"{url}/k/"))
    assert httpx.get(address).json() == {"namespaces": {}}
    assert httpx.get(f"{url}/_gateway/journal").status_code == 401


def test_it_listens_on_loopback_alone_unless_told_otherwise(program):
    _, _, process = program()
    inodes = set()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a connection that ends meanwhile
            inodes.add(str(fd.readlink()).removeprefix("socket:[").rstrip("]"))
    lines = itertools.chain.from_iterable(
        Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")
    )
    sockets = [line.split() for line in lines]
    listening = [words[1] for words in sockets if words[3] == "0A" and words[9] in inodes]
    assert [address.partition(":")[0] for address in listening] == ["0100007F"]


@pytest.mark.parametrize("host", ["", " "])
def test_an_empty_address_is_refused_since_it_would_mean_all(host):
    told = subprocess.run(
        [sys.executable, "-m", "stackproof_gateway", "--host", host],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2
    assert "use 0.0.0.0" in told.stderr


@pytest.mark.parametrize("token", ["short", "sixteen letters/with a slash", "x" * 201])
def test_a_token_that_cannot_stand_in_an_address_is_refused_without_being_shown(token):
    told = subprocess.run(
        [sys.executable, "-m", "stackproof_gateway"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "GATEWAY_TOKEN": token},
    )
    assert told.returncode == 1
    assert "openssl rand -hex 16" in told.stderr
    assert token not in told.stderr + told.stdout


def test_a_server_hands_hostile_paths_on_as_they_came(program):
    """What the property test sends is what arrives: uvicorn does not shorten or decode it."""
    url, output, _ = program(GATEWAY_TOKEN=TOKEN)
    port = int(url.rpartition(":")[2])
    for raw in (b"/v1/../admin", b"/v1/%2e%2e/admin", b"//v1/models", b"/v1/%252e%252e/x"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
            link.sendall(
                b"GET " + raw + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            )
            answer = b"".join(iter(lambda link=link: link.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"path_refused" in answer
    assert TOKEN not in output.read_text()


ATTACK = """
import json, sys, urllib.error, urllib.request
url, model = sys.argv[1:]
body = json.dumps({"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]})
found = {}
for path, data in [("/v1/chat/completions", body), ("/t/test/v1/chat/completions", body),
                   ("/_gateway/journal", None), ("/_gateway/t/test/journal", None),
                   ("/_gateway/t/test/reset", "{}"), ("/_gateway/t/test/budget", '{"usd": 9}'),
                   ("/k/x/_gateway/journal", None), ("/v1/../_gateway/journal", None)]:
    headers = {"Authorization": "Bearer sk-any", "Content-Type": "application/json"}
    request = urllib.request.Request(url + path, data and data.encode(), headers)
    try:
        found[path] = urllib.request.urlopen(request, timeout=20).status
    except urllib.error.HTTPError as error:
        found[path] = error.code
print(json.dumps(found))
"""


def test_another_user_of_the_machine_neither_spends_nor_reads_nor_steers(program, other_user, rig):
    options = rig.options("live")
    url, output, process = program(
        "--llm",
        "live",
        "--budget-usd",
        "0.5",
        "--openai-url",
        options["openai_url"],
        GATEWAY_TOKEN=TOKEN,
        GATEWAY_OPENAI_KEY=KEY,
    )
    own = GatewayClient(url, "test", TOKEN)
    assert ask(rig.client(own)).choices
    calls = len(rig.provider.requests())
    attack = other_user.python(ATTACK, url, MODEL)
    assert attack.returncode == 0, attack.stderr
    assert set(json.loads(attack.stdout).values()) == {400, 401}
    assert len(rig.provider.requests()) == calls
    assert len(own.requests()) == 1
    seen = other_user.run(["cat", f"/proc/{process.pid}/cmdline"]).stdout
    assert "stackproof_gateway" in seen
    assert TOKEN not in seen
    assert KEY not in seen
    assert other_user.run(["cat", f"/proc/{process.pid}/environ"]).returncode != 0
    assert TOKEN not in output.read_text()
    assert KEY not in output.read_text()
    own.close()
