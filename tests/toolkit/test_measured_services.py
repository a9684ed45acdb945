"""The coverage of services is the same whether they start anew or are forked."""

import signal
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import httpx
import pytest

from stackproof.artifacts.service_coverage import combine
from stackproof.engines.process.fork_server.forker import fork_servers
from stackproof.isolation.isolated import open_stack
from stackproof.stack.resolved import StackRequest
from stackproof.waiting import wait_until

WEB = """\
import sys  # run
AHEAD = "http.server" in sys.modules  # run
import atexit, http.server, os, signal  # run
WORDS = "hello"  # run
if WORDS != "hello":  # run
    WORDS = "good evening"

def seen_by(path):  # run
    if path == "/":  # run
        return f"{WORDS} {AHEAD}"  # run
    if path == "/one":  # pages
        return "one"  # pages
    if path == "/other":  # pages
        return "other"  # pages
    return "nothing"

class Handler(http.server.BaseHTTPRequestHandler):  # run
    def do_GET(self):  # run
        self.send_response(200)  # run
        self.end_headers()  # run
        self.wfile.write(seen_by(self.path).encode())  # run

@atexit.register  # run
def last_words():  # run
    print("the end", flush=True)  # run
    if WORDS == "never":  # run
        print("never")

signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # run
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()  # run
"""

WORKER = """\
import threading, xml.dom.minidom  # run

def work():  # run
    print("works", flush=True)  # run
    if not threading.main_thread().is_alive():  # run
        print("never")

threading.Thread(target=work).start()  # run
print("waits", flush=True)  # run
threading.Event().wait()  # run
print("never")
"""

FILES = {
    "web/server.py": WEB,
    "worker/worker.py": WORKER,
    "worker/Dockerfile": "FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\n",
    "compose.yaml": """\
        services:
          web:
            build: web
            command: python server.py
            ports: ["8000:8000"]
            healthcheck: {test: "curl -f http://localhost:8000/"}
          worker:
            build: worker
            command: python worker.py
            user: "1234"
        """,
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        world: private
        coverage: true
        """,
    "tests/integration/test_shop.py": """\
        import httpx, pytest
        pytestmark = pytest.mark.integration
        def test_has_one_page(stack):
            assert httpx.get(stack.url("web") + "/one").text == "one"
        @pytest.mark.stack(isolation="module")
        def test_has_another_page(stack):
            assert httpx.get(stack.url("web") + "/other").text == "other"
        """,
}  # fmt: skip


def lines_of(name, *words):
    """The lines of a service's file with one of some comments."""
    lines = enumerate(FILES[name].splitlines(), 1)
    return {number for number, line in lines if line.endswith(tuple(f"# {word}" for word in words))}


RUN = {name: lines_of(name, "run") for name in ("web/server.py", "worker/worker.py")}


ENDED_BY_SIGTERM = 128 + signal.SIGTERM


@pytest.fixture
def measured(project):
    """The project with a cache of its own, whose services may be forked."""
    cache = project.outer / "cache"
    project.environment |= {"STACKPROOF_PRELOAD": "auto", "STACKPROOF_CACHE_DIR": str(cache)}
    for name, text in FILES.items():
        project.write(name, text)
    yield project
    fork_servers(cache).close()
    subprocess.run(["rm", "-rf", str(cache)], check=True)


def run_once(project, folder):
    """Ask a stack of its own for a page; give how its services started, and the answer."""
    told = []
    request = StackRequest(project.folder, project.environment, coverage=folder)
    isolated = open_stack(request, told.append)
    try:
        starts = {one.start for one in isolated.stack.running.status()}
        answer = httpx.get(isolated.stack.url("web")).text
        worker = isolated.stack.service("worker")
        worker.stop()
        assert worker.state().exit_code == ENDED_BY_SIGTERM
        return starts, answer
    finally:
        isolated.close(told.append)


def covered(folder):
    """The lines of each file that were run, and those that were not, as a report has them."""
    found = {}
    for one in ET.parse(folder / "coverage.xml").iter("class"):  # noqa: S314 - made by coverage
        lines = [(int(line.get("number")), line.get("hits")) for line in one.iter("line")]
        run, missed = ({n for n, hits in lines if (hits == "0") is no} for no in (False, True))
        found[one.get("filename")] = run, missed
    return {name: found[name.rpartition("/")[2]] for name in RUN}


def fork_servers_of(project):
    """The fork server of each program, after its second start: its packages are imported ahead."""
    programs = fork_servers(project.outer / "cache")._programs.values()
    ahead = "packages are imported ahead"
    wait_until(lambda: all(one.server for one in programs), timeout=300, what=ahead)
    assert all(one.server.is_ready(300) for one in programs)
    return [one.server for one in programs]


def test_what_is_run_at_an_import_in_a_request_and_at_the_end_is_measured_in_a_fork_as_well(
    measured, tmp_path
):
    first, warm, cold = (tmp_path / name for name in ("first", "warm", "cold"))
    run_once(measured, first)  # whose snapshot notes what is imported
    assert len(fork_servers_of(measured)) == 2
    assert run_once(measured, warm) == ({"warm"}, "hello True")
    measured.environment["STACKPROOF_PRELOAD"] = "off"
    assert run_once(measured, cold) == ({""}, "hello False")
    for folder in (first, warm, cold):
        assert combine(folder).startswith("coverage of the services: ")
    assert covered(first) == covered(warm) == covered(cold)
    assert {name: run for name, (run, _) in covered(warm).items()} == RUN


def test_no_fork_server_gets_to_know_of_coverage(measured, tmp_path):
    run_once(measured, tmp_path)
    for server in fork_servers_of(measured):
        environment = Path(f"/proc/{server.process.pid}/environ").read_text()
        assert "COVERAGE" not in environment
        assert str(tmp_path) not in environment
    assert run_once(measured, tmp_path)[0] == {"warm"}  # it notes what it imports
    fork_servers(measured.outer / "cache").close()
    known = [path.read_text() for path in (measured.outer / "cache" / "preload").iterdir()]
    assert any("http.server" in text for text in known)
    assert not [text for text in known if "coverage" in text or "sitecustomize" in text]


@pytest.mark.parametrize("options", [("--isolation=test", "-n", "2"), ()])
def test_a_session_has_one_report_of_all_its_stacks(measured, nox, options):
    said = nox(*options, code=0)
    assert "2 passed" in said
    assert said.count("coverage of the services: ") == 1
    folder = measured.folder / ".artifacts" / "integration" / "latest" / "coverage"
    assert {path.name for path in folder.iterdir()} == {"coverage.txt", "coverage.xml"}
    run, _ = covered(folder)["web/server.py"]
    assert run == lines_of("web/server.py", "run", "pages")
