"""A service with published ports and no health check is ready when it listens in its container."""

import urllib.request

import pytest

CHECK = "healthcheck: {test: [CMD, python, /app/check.py], interval: 1s, retries: 30}"
SLOW = """\
import http.server, time
time.sleep(1.5)
http.server.HTTPServer(("ADDRESS", NUMBER), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def unchecked(project):
    """Makes the server of the project slow and unchecked, and lets it listen somewhere."""

    def listen(address="0.0.0.0", number=8000, *, timeout=60):
        project.replace("compose.yaml", CHECK, "")
        project.replace("compose.yaml", "service_healthy", "service_started")
        code = SLOW.replace("ADDRESS", address).replace("NUMBER", str(number))
        project.write("app/server.py", code)
        project.replace(project.config, "start: 60", f"start: {timeout}")

    return listen


def test_the_first_request_after_up_is_answered(project, unchecked):
    unchecked()
    project.invoke("up")
    with urllib.request.urlopen(f"http://127.0.0.1:{project.port}/") as answer:
        assert answer.status == 200


@pytest.mark.parametrize(
    ("address", "number", "told"),
    [
        ("127.0.0.1", 8000, "listens on 127.0.0.1:8000 alone, where nobody reaches it"),
        ("0.0.0.0", 9000, "listens on 9000, not on 8000"),
    ],
)
def test_a_program_that_nobody_can_reach_is_told(project, unchecked, address, number, told):
    unchecked(address, number, timeout=5)
    said = project.invoke("up", code=1)
    assert told in said
    assert "x-stackproof: {ready: {alive: 1}}" in said


def test_a_dependency_of_an_inactive_profile_that_is_not_required_is_left_out(project):
    project.replace(
        "compose.yaml",
        "depends_on: {web: {condition: service_healthy}}",
        "depends_on: {extra: {condition: service_started, required: false}}",
    )
    project.replace("compose.yaml", "volumes: {kept: {}}", "  extra:\n    image: none\n"
                    "    profiles: [never]\nvolumes: {kept: {}}")  # fmt: skip
    project.invoke("up")
    assert project.container("worker").status == "running"
