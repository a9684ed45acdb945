"""A whole life in the host world, where addresses are translated: what machines without rooms have.

The rest of the host world are rules, which unit tests of addressing, mounts and guards hold.
"""

import os
import subprocess
import sys

import pytest
from tests.toolkit.small_project import SmallProject

OWN = """\
import socket
from urllib.parse import urlsplit

def test_has_parts_of_shared_servers(stack):
    assert stack.plan.world == "host"
    assert stack.rows("select count(*) as n from item") == [{"n": 2}]
    for name, key in (("db", "DATABASE_URL"), ("cache", "CACHE_URL")):
        url = urlsplit(stack.service("web").exec(["printenv", key]).stdout.strip())
        endpoint = stack.endpoint(name)
        assert (url.hostname, url.port) == (endpoint.host, endpoint.port)
        socket.create_connection((url.hostname, url.port), timeout=20).close()
"""


@pytest.fixture
def project(project):
    project.environment["STACKPROOF_WORLD"] = "host"
    project.replace("compose.yaml", "SHOP_API_KEY: $",
                    "CACHE_URL: redis://cache/0\n      SHOP_API_KEY: $")  # fmt: skip
    return project


def test_a_stack_lives_with_translated_addresses(project):
    project.invoke("up", "migrate", "seed")
    assert "2 passed" in project.invoke("test", "integration")
    shown = project.invoke("exec", "web", "--", "printenv", "CACHE_URL")
    assert shown.strip().startswith("redis://127.0.0.1:")
    assert "nothing has changed" in project.invoke("up")
    assert "nothing of it is left" in project.invoke("down")
    project.wait_until_nothing_is_left()


def test_a_stack_of_a_test_shares_servers(project):
    config = project.folder / "config/shop.yaml"
    config.write_text(config.read_text() + "isolation: {shared: [db, cache]}\n")
    project.environment["STACKPROOF_CACHE_DIR"] = str(project.outer / "cache")
    project.write("tests/own/test_own.py", OWN)
    project.write("pytest.ini", "[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own"],
        cwd=project.folder, env=project.environment, text=True, check=False, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    subprocess.run(["rm", "-rf", str(project.outer / "cache")], check=True)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    project.wait_until_nothing_is_left()


REFUSING = ["unshare", "-Ur", "sh", "-c", 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"',
            "sh", sys.executable, "-m"]  # fmt: skip
"""Runs a module where no further user namespaces can be made."""

TWO = """\
import pytest
@pytest.mark.stack(isolation="test")
@pytest.mark.parametrize("number", range(2))
def test_runs(stack, number):
    assert stack.plan.world == "host"
"""


def test_where_the_machine_refuses_a_private_world_each_command_says_why_in_one_line(tmp_path):
    project = SmallProject(tmp_path, tmp_path)
    project.write("test_it.py", TWO)

    def refused(*words):
        done = subprocess.run(
            [*REFUSING, *words], cwd=tmp_path, env=project.environment, text=True, check=False,
            timeout=240, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        told = [line for line in done.stdout.splitlines() if "in the host world" in line]
        assert len(told) == 1, done.stdout
        assert "unshare: No space left on device" in told[0]
        return done.stdout

    if subprocess.run(["unshare", "-Ur", "true"], check=False).returncode and os.getuid():
        pytest.skip("this user may make no user namespaces")
    assert "sysctl user.max_user_namespaces=10000" in refused("invoke", "up")
    assert "sysctl user.max_user_namespaces=10000" in refused("invoke", "doctor")
    project.invoke("down")
    assert "2 passed" in refused("pytest", "-q", "-p", "no:cacheprovider")
