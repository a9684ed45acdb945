"""A Docker Engine that takes connections and answers nothing: every question to it ends."""

import json
import socket
import stat
import sys
import textwrap
import threading

import pytest
import requests

from stackproof.engines.compose import connection, silence
from stackproof.engines.compose.command_line import CommandLine
from stackproof.engines.compose.connection import connect
from stackproof.errors import EngineUnavailable


class Engine:
    """Answers the first so many requests at once, and the others after a time, or never."""

    def __init__(self, path, *, prompt, delay=None):
        self.host = f"unix://{path}"
        self.prompt, self.delay, self.over = prompt, delay, threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(link,), daemon=True).start()

    def _answer(self, link):
        body = json.dumps({"ApiVersion": "1.41", "Version": "20.10", "ID": "x"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with link:
            while link.recv(65536):
                self.prompt -= 1
                if self.prompt < 0:
                    self.over.wait(self.delay)
                    if self.over.is_set():
                        return
                link.sendall(head + body)

    def close(self):
        self.over.set()
        self.listener.close()


@pytest.fixture
def engine(tmp_path):
    opened = []

    def start(**fields):
        opened.append(Engine(tmp_path / "docker.sock", **fields))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_an_engine_that_never_gives_its_version_is_said_not_to_answer(engine, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_SECONDS", 0.2)
    hung = engine(prompt=0)
    with pytest.raises(EngineUnavailable, match="does not answer"):
        connect({"DOCKER_HOST": hung.host})


def test_what_comes_after_the_first_answer_may_take_longer(engine, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_SECONDS", 0.2)
    client = connect({"DOCKER_HOST": engine(prompt=1, delay=1.0).host})
    assert client.info()["ID"] == "x"


def test_what_comes_after_the_first_answer_may_not_take_for_ever(engine, monkeypatch):
    monkeypatch.setattr(connection, "SECONDS", 0.3)
    client = connect({"DOCKER_HOST": engine(prompt=1).host})
    with pytest.raises(requests.RequestException):
        client.info()


def test_a_process_has_one_client_of_an_engine(engine):
    where = {"DOCKER_HOST": engine(prompt=1000).host}
    assert connect(where) is connect(where)


def test_an_engine_that_has_hung_since_is_said_not_to_answer(engine, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_SECONDS", 0.2)
    where = {"DOCKER_HOST": engine(prompt=1).host}
    connect(where)
    with pytest.raises(EngineUnavailable, match="does not answer"):
        connect(where)


def test_an_engine_that_was_started_again_is_reached(engine, tmp_path):
    first = engine(prompt=1)
    connect({"DOCKER_HOST": first.host})
    first.close()
    (tmp_path / "docker.sock").unlink()
    again = connect({"DOCKER_HOST": engine(prompt=1000).host})
    assert again.info()["ID"] == "x"


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """Makes a `docker compose` that is a program of the test."""

    def make(engine, code):
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        environment = {"DOCKER_HOST": engine.host, "PATH": f"{program.parent}:/usr/bin:/bin"}
        return CommandLine(environment, "0" * 16, tmp_path, "shop-e2e")

    return make


def test_compose_that_waits_for_a_hung_engine_is_ended(engine, compose, monkeypatch):
    monkeypatch.setattr(connection, "FIRST_SECONDS", 0.2)
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(silence, "END_SECONDS", 0.2)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(600)"
    with pytest.raises(EngineUnavailable, match="does not answer"):
        compose(engine(prompt=0), code).run(["create"], lambda _: None)


def test_compose_that_is_silent_while_the_engine_answers_is_waited_for(
    engine, compose, monkeypatch
):
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.1)
    said = []
    code = "import time; print('one'); time.sleep(1); print('two', end='')"
    compose(engine(prompt=1000), code).run(["create"], said.append)
    assert said == ["one", "two"]


def test_compose_that_somebody_has_stopped_is_let_go_on(engine, compose, monkeypatch):
    monkeypatch.setattr(silence, "SILENT_SECONDS", 0.1)
    said = []
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); print('on')"
    compose(engine(prompt=1000), code).run(["create"], said.append)
    assert said == ["on"]
