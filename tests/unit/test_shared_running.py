"""A stack some of whose services run elsewhere: who is asked, and what is refused."""

from typing import get_args

import pytest

from stackproof.engines.base import Action, Command, LogLine, ServiceStatus
from stackproof.errors import Refused
from stackproof.plan.model import Plan, ServicePlan
from stackproof.stack.shared_running import SharedRunning


class FakeRunning:
    def __init__(self, *names):
        self.names = names
        self.calls = []

    def status(self):
        return tuple(ServiceStatus(name, "running") for name in self.names)

    def details(self):
        return {name: {} for name in self.names}

    def owns_data(self, service):
        return service in self.names

    def _lines(self, services):
        wanted = services or self.names
        return [LogLine(f"{at}-{name}", name, "out", "x") for at in (1, 2) for name in wanted]

    def logs(self, services=(), *, tail=None, since=""):
        return iter(self._lines(services))

    def follow(self, services=()):
        return iter(self._lines(services))

    def execute(self, service, command, streams):
        self.calls.append(("execute", service, command.environment))
        return 0

    def run(self, name, service, command, say):
        self.calls.append(("run", service))

    def wait_ready(self, timeout, say):
        self.calls.append(("wait_ready",))

    def control(self, action, services, *, signal="SIGKILL"):
        self.calls.append((action, *services, signal))


@pytest.fixture
def own():
    return FakeRunning("api", "worker")


@pytest.fixture
def servers():
    return FakeRunning("db", "cache", "helper")


@pytest.fixture
def running(own, servers):
    shared = [
        ServicePlan(name, (), {"POSTGRES_DB": "mine"}, shared="servers") for name in ("db", "cache")
    ]
    services = (*shared, ServicePlan("api", (), {}), ServicePlan("worker", (), {}))
    return SharedRunning(Plan("shop", "shop-1", "process", None, services), own, servers)


def test_states_of_shared_servers_are_among_those_of_the_stack(running):
    assert [one.name for one in running.status()] == ["db", "cache", "api", "worker"]


def test_lines_are_merged_by_time(running):
    assert [line.at for line in running.logs(["db", "api"])] == ["1-api", "1-db", "2-api", "2-db"]
    assert {line.service for line in running.logs()} == {"db", "cache", "api", "worker"}
    assert {line.service for line in running.logs(["cache"])} == {"cache"}


def test_following_ends_with_the_stack(running):
    assert {line.service for line in running.follow(["api"])} == {"api"}
    assert {line.service for line in running.follow(["db"])} == {"db"}
    assert "api" in {line.service for line in running.follow()}


def test_a_command_in_a_shared_server_sees_the_stacks_own_names(running, servers, own):
    running.execute("db", Command(["psql"], {"A": "b"}), None)
    running.execute("api", Command(["true"]), None)
    assert servers.calls == [("execute", "db", {"POSTGRES_DB": "mine", "A": "b"})]
    assert own.calls == [("execute", "api", {})]


@pytest.mark.parametrize("action", get_args(Action))
def test_what_would_hit_others_is_refused_and_nothing_is_done(running, servers, own, action):
    with pytest.raises(Refused, match="cache is shared with other tests") as told:
        running.control(action, ["api", "cache"])
    assert "@pytest.mark.stack(shared=[])" in str(told.value)
    assert servers.calls + own.calls == []


@pytest.mark.parametrize("action", get_args(Action))
def test_the_stacks_own_services_can_be_broken(running, own, action):
    running.control(action, ["worker"], signal="SIGTERM")
    assert own.calls == [(action, "worker", "SIGTERM")]


def test_migrating_a_shared_server_is_refused(running):
    with pytest.raises(Refused, match="migrate is refused"):
        running.run("migrate", "db", Command(["psql"], timeout=1), print)
    running.run("migrate", "api", Command(["alembic"], timeout=1), print)


def test_only_its_own_services_are_waited_for(running, own, servers):
    running.wait_ready(1, print)
    assert own.calls == [("wait_ready",)]
    assert servers.calls == []
    assert running.owns_data("db")
    assert set(running.details()) >= {"db", "api"}
