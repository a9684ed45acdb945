"""A line of a log ends at a line feed and nowhere else, and what was cut is marked."""

import subprocess
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from stackproof.engines import log_files
from stackproof.engines.base import Command
from stackproof.engines.compose.running import ComposeRunning
from stackproof.engines.process.capture import CUT, LONGEST_LINE, LogFile, parts
from stackproof.reaper.run_folder import RunFolder
from stackproof_redaction import Redactor

ENDS = "a\rb\fc\x0bd\x1ce\x85f\u2028g\u2029h"
"""What Python takes for ends of lines, and a log does not."""


def test_a_log_of_the_process_engine_has_a_line_for_each_line_feed(tmp_path):
    log = LogFile(tmp_path / "web.log", Redactor())
    log.write("out", [ENDS, "next\r"])
    log.close()
    lines = list(log_files.read(tmp_path))
    assert [line.text for line in lines] == [ENDS.replace("\r", "\\r"), "next"]
    assert all(line.at for line in lines)


def test_the_log_of_a_command_in_a_container_has_a_line_for_each_line_feed(tmp_path):
    class Executing:
        @contextmanager
        def command(self, _service, command, streams):
            options = {"stdin": streams.stdin, "stdout": streams.stdout}
            with subprocess.Popen(command.argv, **options) as process:
                yield process

    running = ComposeRunning.__new__(ComposeRunning)
    running.run_folder = RunFolder(tmp_path, "shop")
    running.redactor = Redactor()
    running._executing = Executing()
    said = []
    argv = ["/usr/bin/printf", "%b", f"{ENDS}\\r\\nnext\\n"]
    running.run("migrate", "web", Command(argv), said.append)
    lines = list(log_files.read(running.run_folder.logs))
    assert [line.text for line in lines] == said == [ENDS.replace("\r", "\\r"), "next"]
    assert [line.stream for line in lines] == ["out", "out"]


@given(
    st.text(alphabet=st.sampled_from("aä\N{SNOWMAN}\N{GRINNING FACE}"), max_size=50),
    st.integers(0, 3),
)
def test_a_line_is_cut_at_a_character_and_each_cut_is_marked(text, times):
    line = "x" * (times * LONGEST_LINE) + text
    found = parts(line)
    assert all(len(part) <= LONGEST_LINE for part in found)
    assert all(part.endswith(CUT) for part in found[:-1])
    assert "".join(part.removesuffix(CUT) for part in found[:-1]) + found[-1] == line
