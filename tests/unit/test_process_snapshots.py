"""The files of a snapshot on the process engine, and servers that keep their data in memory."""

import socket
import threading
from pathlib import Path

import pytest

from stackproof.engines.process import snapshot_keeper
from stackproof.engines.process.snapshot_keeper import ProcessSnapshots
from stackproof.engines.saving import save_memory
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.reaper.run_folder import RunFolder


@pytest.fixture
def snapshot(tmp_path, monkeypatch):
    """The folder of a snapshot that was taken of a run with one file of data."""
    monkeypatch.setattr(snapshot_keeper, "Control", lambda _run: NotRunning())
    run = RunFolder(tmp_path / "state", "shop")
    (run.data / "db").mkdir(parents=True)
    (run.data / "db" / "table").write_text("rows")
    entry = tmp_path / "entry"
    entry.mkdir()
    plan = Plan("shop", "shop", "process", run.path, (ServicePlan("db", (), {}),))
    assert ProcessSnapshots(Path()).take(plan, run, entry, entry, lambda _: None) > 0
    return entry


class NotRunning:
    def control(self, action, names):
        assert (action, names) == ("stop", ["db"])


def test_a_snapshot_that_nobody_has_touched_has_no_fault(snapshot):
    assert ProcessSnapshots(Path()).fault(snapshot) == ""


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_text("more rows"),
        lambda file: file.with_name("another").touch(),
    ],
)
def test_a_file_that_is_missing_changed_or_new_is_a_fault(snapshot, damage):
    damage(snapshot / "data" / "db" / "table")
    assert "not what they were" in ProcessSnapshots(Path()).fault(snapshot)


def test_a_missing_listing_is_a_fault(snapshot):
    (snapshot / "listing").unlink()
    assert ProcessSnapshots(Path()).fault(snapshot)


@pytest.fixture
def answering():
    """A server that notes what it is asked, and answers what it is told to."""
    server = socket.create_server(("127.0.0.1", 0))
    asked = []

    def start(answer):
        def serve():
            link, _ = server.accept()
            with link:
                asked.append(link.recv(64))
                link.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    yield start, asked
    server.close()


def cache(port, scheme="redis"):
    return ServicePlan(
        "cache", (), {}, endpoints=(Endpoint("cache", 6379, "127.0.0.1", port, scheme),)
    )


def test_redis_is_told_to_save(answering):
    start, asked = answering
    assert save_memory(cache(start(b"+OK\r\n"))) == ""
    assert asked == [b"*1\r\n$4\r\nSAVE\r\n"]


def test_why_redis_would_not_save_is_told(answering):
    start, _ = answering
    assert "NOAUTH" in save_memory(cache(start(b"-NOAUTH Authentication required.\r\n")))


def test_other_servers_are_left_alone():
    assert save_memory(cache(1, scheme="postgresql")) == ""
