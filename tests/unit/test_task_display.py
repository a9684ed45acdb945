"""What a task shows: plain lines in a file, a live line and colours on a terminal."""

import os
import pty
import shlex
import subprocess
import sys

import pytest

PROGRAM = """\
import sys
from stackproof.tasks.display import conceal, progress, say_marked, show_table
from stackproof.waiting import StillWaiting

conceal(["canary-word"])
with progress("starting [shop]") as tell:
    tell("db: ready with canary-word")
    tell(StillWaiting("still starting [shop]: web"))
    sys.stdin.readline()
show_table([("db", "healthy", "canary-word")], head=("SERVICE", "STATE", "ADDRESS"))
say_marked("ok", "Python")
"""


@pytest.fixture
def environment():
    given = {name: value for name, value in os.environ.items() if name not in {"CI", "NO_COLOR"}}
    return {**given, "TERM": "xterm-256color", "COLUMNS": "80"}


def test_a_file_gets_plain_lines(environment):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input="\n", env=environment, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "db: ready with ********",
        "still starting [shop]: web",
        "SERVICE  STATE    ADDRESS",
        "db       healthy  ********",
        "ok      Python",
    ]


def test_work_goes_on_when_nobody_reads_its_progress_any_more(environment):
    program = (
        "import sys\n"
        "from stackproof.tasks.display import progress\n"
        "with progress('starting') as tell:\n"
        "    for number in range(20_000):\n"
        "        tell(f'line {number}')\n"
        "print('done', file=sys.stderr)\n"
    )
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} | head -1"
    done = subprocess.run(
        command, shell=True, env=environment, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("line 0\n", "done\n")


def on_a_terminal(environment):
    """All that the program writes to a terminal; it goes on when its live line was seen."""
    ours, theirs = pty.openpty()
    written = b""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdin=subprocess.PIPE, stdout=theirs
    ) as process:
        os.close(theirs)
        while b"still starting [shop]: web" not in written:
            written += os.read(ours, 65536)
        process.communicate(b"\n")
        while True:
            try:
                written += os.read(ours, 65536)
            except OSError:  # the other side is closed (pty(7))
                break
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_a_terminal_gets_a_live_line_and_colours(environment):
    written = on_a_terminal(environment)
    assert "db: ready with ********\r\n" in written
    assert "\x1b[1A\x1b[2K" in written  # the live line is erased in the end
    assert "\x1b[32mhealthy" in written
    assert "canary" not in written


def test_in_ci_a_terminal_gets_plain_lines(environment):
    written = on_a_terminal({**environment, "CI": "true"})
    assert "still starting [shop]: web\r\n" in written
    assert "\x1b" not in written
