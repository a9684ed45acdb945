"""Whether a container of Docker may have private worlds."""

import subprocess
from pathlib import Path

import pytest

import stackproof
import stackproof_redaction

ASK = """
import sys
sys.path[:0] = ["/stackproof", "/redaction"]
from pathlib import Path
from stackproof.engines.process.world.allowed import refusal
print(refusal(Path("/state")))
"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "unshare: Operation not permitted; start the container with --privileged"),
        (("--security-opt", "seccomp=unconfined"), "mount proc on /proc: Operation not permitted"),
    ],
    ids=["by default", "without a filter of system calls"],
)
def test_a_container_refuses_a_private_world_and_says_how_to_allow_it(
    engine, python_image, options, words
):
    parts = {"/stackproof": stackproof, "/redaction": stackproof_redaction}
    sources = [f"{Path(part.__file__).parents[1]}:{place}:ro" for place, part in parts.items()]
    done = subprocess.run(
        ["docker", "run", "--rm", *options, "-v", sources[0], "-v", sources[1],
         python_image, "python", "-B", "-c", ASK],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("make namespaces of users, processes and mounts: ")
    assert words in done.stdout
