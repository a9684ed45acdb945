"""A supervisor that was just started is waited for while it lives; how it ended is said."""

import sys

import pytest

from stackproof.engines.process.control import Control
from stackproof.errors import StartFailed
from stackproof.reaper.launch import launch
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import silence

ENDS = "import pathlib, sys, time\nwhile not pathlib.Path(sys.argv[1]).exists(): time.sleep(0.01)\n"


def test_a_slow_supervisor_is_waited_for_and_the_last_words_of_one_that_ends_are_told(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(silence, "SILENCE", 0.05)
    run, asked, said = RunFolder(tmp_path / "state", "slow-e2e"), tmp_path / "asked", []
    code = ENDS + "sys.exit('no module is called that')"
    lease = launch(run, [sys.executable, "-c", code, str(asked)], environment={}, private=False)
    control = Control(run)

    def say(line):
        said.append(line)
        asked.touch()

    with pytest.raises(StartFailed) as caught:
        control.wait_for_supervisor(say)
    lease.close()
    take_down(run, seconds=5)
    assert "still waiting for the supervisor of slow-e2e" in said[0]
    assert caught.value.observed == "no module is called that"
