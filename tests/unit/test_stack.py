import os
from dataclasses import replace

import pytest

from stackproof.engines.base import LogLine, ServiceStatus
from stackproof.errors import CommandFailed, ConfigError, NoStack, WrongEnd
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.stack import Stack
from stackproof.stack.diagnosis import diagnose


class FakeRunning:
    """Answers commands from a table, and records what is asked of it."""

    def __init__(self, answers=None):
        self.answers = answers or {}
        self.calls = []

    def status(self):
        return (ServiceStatus("api", "running", "healthy"), ServiceStatus("worker", "exited"))

    def logs(self, services=(), *, tail=None, since=""):
        self.calls.append(("logs", tuple(services), tail, since))
        return iter([LogLine("t", "api", "out", "one"), LogLine("t", "api", "err", "two")])

    def execute(self, service, command, streams):
        argv = tuple(command.argv)
        self.calls.append(("execute", service, argv, command.environment))
        code, out, err = self.answers.get(service, (0, "", ""))
        os.write(streams.stdout, out.encode())
        os.write(streams.stderr, err.encode())
        return code

    def control(self, action, services):
        self.calls.append((action, *services))


def make_stack(running=None, *, engine="process"):
    services = (
        ServicePlan(
            "postgres",
            (),
            {"POSTGRES_USER": "me", "POSTGRES_PASSWORD": "p@ss", "POSTGRES_DB": "shop_e2e"},
            endpoints=(Endpoint("postgres", 5432, "127.0.0.1", 15432, "postgresql"),),
        ),
        ServicePlan(
            "api",
            ("serve",),
            {},
            endpoints=(
                Endpoint("api", 8000, "127.0.0.1", 18000, "http"),
                Endpoint("api", 9000, "127.0.0.1", 19000, "http"),
            ),
        ),
        ServicePlan("worker", ("work",), {}),
    )
    plan = Plan("shop", "shop-e2e", engine, run_folder=None, services=services)
    return Stack(plan, running or FakeRunning())


def test_the_url_of_a_service_is_its_first_port():
    assert make_stack().url("api") == "http://127.0.0.1:18000"


def test_a_further_port_is_named_as_the_stack_file_has_it():
    assert make_stack().url("api", 9000) == "http://127.0.0.1:19000"


def test_an_unknown_service_is_an_error_that_names_those_there_are():
    with pytest.raises(ConfigError, match=r"its services: postgres, api, worker"):
        make_stack().url("apj")


def test_a_service_without_ports_says_how_to_give_it_one():
    with pytest.raises(ConfigError, match=r"under `ports` or `expose` of worker"):
        make_stack().url("worker")


def test_the_dsn_has_user_password_and_database_percent_encoded():
    assert make_stack().dsn() == "postgresql://me:p%40ss@127.0.0.1:15432/shop_e2e"


def test_rows_come_from_the_servers_own_psql_with_the_password_out_of_sight():
    running = FakeRunning({"postgres": (0, '[{"n": 1}]', "")})
    assert make_stack(running).rows("select 1 as n") == [{"n": 1}]
    ((_, service, argv, environment),) = running.calls
    assert service == "postgres"
    assert argv[0] == "psql"
    assert "15432" in argv
    assert "p@ss" not in " ".join(argv)
    assert environment == {"PGPASSWORD": "p@ss"}


def test_in_a_container_psql_connects_to_the_containers_own_port():
    running = FakeRunning({"postgres": (0, "[]", "")})
    make_stack(running, engine="compose").rows("select 1")
    assert "5432" in running.calls[0][2]


def test_a_query_that_fails_says_what_the_server_said():
    running = FakeRunning({"postgres": (1, "", 'ERROR:  relation "nope" does not exist\n')})
    with pytest.raises(CommandFailed, match=r'relation "nope" does not exist'):
        make_stack(running).rows("select * from nope")


def test_the_output_of_a_command_is_collected_apart():
    running = FakeRunning({"api": (3, "to out", "to err")})
    done = make_stack(running).service("api").exec(["x"])
    assert (done.exit_code, done.stdout, done.stderr) == (3, "to out", "to err")


def test_a_stopped_service_is_started_again_even_if_the_block_raises():
    running = FakeRunning()
    service = make_stack(running).service("worker")
    with pytest.raises(ValueError, match="boom"), service.stopped():
        raise ValueError("boom")
    assert running.calls == [("stop", "worker"), ("start", "worker")]


def test_logs_are_the_lines_of_that_service():
    running = FakeRunning()
    assert make_stack(running).service("api").logs(tail=5) == "one\ntwo"
    assert running.calls == [("logs", ("api",), 5, "")]


@pytest.mark.parametrize(
    ("state", "health", "well"),
    [
        ("running", "", True),
        ("running", "healthy", True),
        ("running", "starting", False),
        ("completed", "", True),
        ("exited", "", False),
    ],
)
def test_a_service_is_well_when_nothing_is_left_to_wait_for(state, health, well):
    assert ServiceStatus("x", state, health).is_well is well


class TroubledRunning(FakeRunning):
    """Its worker has ended; every service has written a lot."""

    def logs(self, services=(), *, tail=None, since=""):
        [name] = services
        lines = [LogLine("t", name, "out", f"line {number}") for number in range(100)]
        return iter(lines[-tail:] if tail else lines)


def test_a_failed_wait_names_who_is_not_well_and_everybodys_last_lines():
    stack = make_stack(TroubledRunning())
    with pytest.raises(WrongEnd) as caught:
        stack.wait_until(lambda: "failed", until="done".__eq__, failed=bool, timeout=5, what="it")
    told = [line.strip() for line in str(caught.value).splitlines()]
    assert told[0].startswith("it: it ended in another way")
    assert told[2] == "not well: worker: exited"
    assert told[3:5] == ["last lines of worker:", "| t line 80"]
    assert told[-6:-4] == ["last lines of api:", "| t line 95"]


def test_a_failed_wait_tells_the_first_error_that_a_service_wrote_meanwhile():
    class Erring(TroubledRunning):
        def logs(self, services=(), *, tail=None, since=""):
            [name] = services
            before, after = ("t0", "ERROR: an old one"), ("t9", "ERROR: no pear")
            lines = [before, after, ("t9", "later")] if since == "" else [after, ("t9", "later")]
            return iter([LogLine(at, name, "out", text) for at, text in lines])

    lines = diagnose(Erring(), since="t5")
    assert lines[1:] == [
        "first error of worker: no pear",
        "last lines of worker:",
        "  | t9 ERROR: no pear",
        "  | t9 later",
        "first error of api: no pear",
    ]


def test_a_wait_that_ends_by_an_exception_tells_how_the_services_are_as_a_note():
    def refused():
        raise ConnectionError("refused")

    with pytest.raises(ConnectionError) as caught:
        make_stack(TroubledRunning()).wait_until(refused, timeout=5, what="it")
    assert caught.value.__notes__[0].startswith("not well: worker: exited\n")


def test_a_successful_wait_asks_the_services_nothing():
    running = FakeRunning()
    assert make_stack(running).wait_until(lambda: 3, timeout=5, what="it") == 3
    assert running.calls == []


def test_a_diagnosis_is_bounded_in_length():
    class Many(TroubledRunning):
        def status(self):
            return tuple(ServiceStatus(f"s{number}", "exited") for number in range(30))

    lines = diagnose(Many())
    assert len(lines) == 120
    assert lines[-1].startswith("… ")


def test_a_stack_that_answers_nothing_does_not_hide_the_failed_wait():
    class Gone(FakeRunning):
        def status(self):
            raise NoStack("shop-e2e is not up")

    with pytest.raises(
        WrongEnd, match="the states of the services could not be read: shop-e2e is not up"
    ):
        make_stack(Gone()).wait_until(
            lambda: 1, until=(2).__eq__, failed=bool, timeout=5, what="it"
        )  # fmt: skip


def test_files_of_a_test_go_to_the_folder_that_its_session_gave(tmp_path):
    given = replace(make_stack(), kept=tmp_path / "stacks/shop-1")
    (given.artifacts / "seen.txt").write_text("a")
    assert (tmp_path / "stacks/shop-1/seen.txt").read_text() == "a"


def test_outside_of_tests_there_is_no_such_folder():
    with pytest.raises(ConfigError, match="no folder for artifacts"):
        make_stack().artifacts  # noqa: B018 - asking is the test
