"""Services of the stacks of tests are forked from a process that has imported their packages."""

import subprocess
from contextlib import contextmanager

import httpx
import pytest

from stackproof.engines.process.fork_server.forker import fork_servers
from stackproof.engines.process.fork_server.keeping import ForkServers
from stackproof.isolation.isolated import open_stack
from stackproof.stack.resolved import StackRequest
from stackproof.waiting import wait_until

SERVER = """\
import sys
AHEAD = "http.server" in sys.modules
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['GREETING']} WORDS {AHEAD}".encode()
        self.send_response(200); self.end_headers(); self.wfile.write(body)
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


@pytest.fixture
def warm(project):
    """The project, whose services may be forked; its own cache."""
    cache = project.outer / "cache"
    project.environment |= {
        "STACKPROOF_PRELOAD": "auto", "STACKPROOF_WORLD": "private",
        "STACKPROOF_CACHE_DIR": str(cache),
    }  # fmt: skip
    project.write("web/server.py", SERVER)
    yield project
    fork_servers(cache).close()
    subprocess.run(["rm", "-rf", str(cache)], check=True)


@contextmanager
def own_stack(project):
    told = []
    request = StackRequest(root=project.folder, environment=project.environment)
    isolated = open_stack(request, told.append)
    try:
        yield isolated.stack
    finally:
        isolated.close(told.append)
        assert isolated.lease._link.fileno() < 0  # not left to the garbage collector, which warns


def begun(project):
    """What the web server of a new stack answers, and how it was started."""
    with own_stack(project) as stack:
        (start,) = [one.start for one in stack.running.status() if one.name == "web"]
        return httpx.get(stack.url("web")).text, start


def server_of(cache):
    """The fork server of the web server; None while there is none."""
    (program,) = fork_servers(cache)._programs.values()
    return program.server


def server_after_a_stack(project):
    """The fork server of the web server, which was started twice: for the snapshot first."""
    cold = "cold: its packages are not imported ahead yet"
    assert begun(project) == ("hello WORDS False", cold)
    cache = project.outer / "cache"
    wait_until(lambda: server_of(cache), timeout=300, what="there is a fork server")
    server = server_of(cache)
    assert server.is_ready(300)
    return server


def test_later_stacks_have_what_the_first_one_imported_and_see_each_edit(warm):
    server_after_a_stack(warm)
    warm.replace("web/server.py", "WORDS", "EDITED")
    assert begun(warm) == ("hello EDITED True", "warm")
    warm.environment["STACKPROOF_PRELOAD"] = "off"
    assert begun(warm) == ("hello EDITED False", "")


def test_stacks_start_anew_where_fork_servers_are_killed_and_nothing_is_left(warm, monkeypatch):
    killed = server_after_a_stack(warm).process
    usual = ForkServers.forked

    def and_kill(*arguments):
        told = usual(*arguments)
        if told.forked is not None:
            killed.kill()
            killed.wait(60)
        return told

    with monkeypatch.context() as during:
        during.setattr(ForkServers, "forked", and_kill)
        text, start = begun(warm)
    assert text == "hello WORDS False"
    assert start.startswith("cold: no fork server answers")
    assert begun(warm) == ("hello WORDS False", "cold: its packages are not imported ahead yet")
    cache = warm.outer / "cache"
    wait_until(lambda: server_of(cache), timeout=300, what="there is another server")
    again = server_of(cache).process
    fork_servers(cache).close()
    assert again.poll() is not None
