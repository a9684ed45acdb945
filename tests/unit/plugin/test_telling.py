"""Who looks at pytest hears what a test waits for, although pytest captures all output."""

import subprocess
import sys

import pytest

FILES = {
    "compose.yaml": "services: {db: {image: 'postgres:16'}}\n",
    "config/shop.yaml": "stack: shop\ncompose_files: [../compose.yaml]\n",
    "conftest.py": """\
import threading, time
import stackproof.waiting
from stackproof.errors import StackproofError
from stackproof.isolation import isolated
stackproof.waiting.silence.SILENCE = 0.05

def open_stack(request, say, **_):
    say("preparing: a canary-password")
    time.sleep(0.5)  # stands for a slow machine
    raise StackproofError("that is enough")

isolated.open_stack = open_stack

def pytest_configure(config):
    from stackproof.pytest_plugin.concealing import learn
    learn(config, ["canary-password"])
""",
    "test_slow.py": "def test_slow(stack): pass\n",
}


@pytest.mark.parametrize("options", [[], ["-s"], ["-n", "1"]])
def test_a_test_that_waits_for_its_stack_says_so(tmp_path, options):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", "/dev/null",
         f"--rootdir={tmp_path}", *options, "test_slow.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "that is enough" in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith("stackproof:")]
    assert told, done.stdout + done.stderr
    assert told[-1].startswith("stackproof: still waiting for the stack of test_slow: preparing:")
    assert "canary" not in done.stderr
