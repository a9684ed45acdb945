"""From somebody's repository to a green test: `stackproof init`, `invoke up`, `invoke test`."""

import subprocess
import sys

import pytest
from tests.toolkit.small_project import SmallProject

PEER = """\
import http.server, urllib.request

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"stored" if {is_last} else urllib.request.urlopen("http://store:8000/").read()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text)

http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Page).serve_forever()
"""

FILES = {
    "docker-compose.yml": """\
version: "3"
services:
  web:
    build: web
    ports: ["8000:8000"]
    healthcheck: {test: "wget -q --spider http://localhost:8000/"}
    depends_on: [store]
  store: {build: store}
""",
    "tasks.py": "import celery\n",
    "tests/conftest.py": "import flask\n",
}
for name in ("web", "store"):
    FILES[f"{name}/Dockerfile"] = (
        'FROM python:3.11-slim\nWORKDIR /app\nCOPY . .\nCMD ["python", "serve.py"]\n'
    )
    FILES[f"{name}/serve.py"] = PEER.replace("{is_last}", str(name == "store"))


@pytest.fixture
def repository(tmp_path, free_ports):
    folder = tmp_path / "pages"
    folder.mkdir()
    made = SmallProject(folder, tmp_path, FILES)
    made.environment["STACKPROOF_PORT_WEB"] = str(free_ports[0])
    yield made
    made.end()


def test_a_strangers_repository_is_green_without_a_change(repository):
    program = [sys.executable, "-m", "stackproof.tasks.command_line", "init", "--yes"]
    done = subprocess.run(
        program, cwd=repository.folder, env=repository.environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "next: invoke -c stack_tasks up" in done.stdout
    repository.invoke("-c", "stack_tasks", "up")
    assert "2 passed" in repository.invoke("-c", "stack_tasks", "test", "integration")
    repository.invoke("-c", "stack_tasks", "down")
    assert {name: (repository.folder / name).read_text() for name in FILES} == FILES
