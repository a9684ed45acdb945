"""A supervisor whose reaper is dead goes on trying: nobody else is there to do it."""

import pytest
from docker.errors import APIError

from stackproof.engines.compose import supervisor
from stackproof.engines.compose.supervisor import Reason
from stackproof.errors import EngineUnavailable

BUSY = [APIError("busy"), EngineUnavailable("the Docker Engine does not answer"), False, True]


@pytest.fixture
def outcomes(monkeypatch):
    """What each try comes to; an error is raised."""
    tries, coming = [], iter(BUSY)

    def take_down(_folder, _run_id, reason):
        outcome = next(coming)
        tries.append(reason)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(supervisor, "_take_down", take_down)
    monkeypatch.setattr(supervisor.time, "sleep", lambda _: None)
    return tries


def test_it_tries_again_until_nothing_is_left(outcomes, tmp_path, capsys):
    assert supervisor._take_down_for_certain(tmp_path, "0" * 16, Reason.ABANDONED)
    assert outcomes == [Reason.ABANDONED] * 4
    assert "does not answer" in capsys.readouterr().err


def test_where_a_reaper_lives_it_leaves_the_next_try_to_it(outcomes, tmp_path):
    assert not supervisor._take_down_for_certain(tmp_path, "0" * 16, Reason.TOLD)
    assert outcomes == [Reason.TOLD]
