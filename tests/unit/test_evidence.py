"""What a failing test leaves of databases and brokers: rows of queries, and queues."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackproof.artifacts.evidence import keep_evidence, queue_lines
from stackproof.artifacts.run import RunArtifacts
from stackproof.errors import WaitTimeout
from stackproof.plan.model import Endpoint, Plan, PlannedEvidence, ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.stack.running import Stack
from stackproof_redaction import Redactor

QUEUE = {
    "vhost": "orders",
    "name": "jobs",
    "ready": 3,
    "unacked": 1,
    "consumers": 0,
    "dead_letters_to": "dead",
    "bound_to": ["", "events"],
}
DEAD = {**QUEUE, "name": "jobs.dead", "consumers": 1, "dead_letters_to": None, "bound_to": ["dead"]}


class Servers:
    """Answers commands in services; an answer that is an error is raised."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def execute(self, service, command, streams):
        self.asked.append((service, command))
        answer = self.answers[service]
        if isinstance(answer, Exception):
            raise answer
        code, out, err = answer
        Path(f"/dev/fd/{streams.stdout}").write_text(out)
        Path(f"/dev/fd/{streams.stderr}").write_text(err)
        return code


SERVICES = (
    ServicePlan("db", (), {}, endpoints=(Endpoint("db", 5432, "127.0.0.1", 15432, "postgresql"),)),
    ServicePlan("mq", (), {}, runtime=Runtime("image", image="rabbitmq")),
    ServicePlan("in-container", (), {}, image="rabbitmq:3-management"),
    ServicePlan("web", (), {}, image="shop/web"),
)


def kept(tmp_path, names, sql=(), **answers):
    servers = Servers(**answers)
    services = tuple(service for service in SERVICES if service.name in names)
    plan = Plan("shop", "shop-e2e", "process", tmp_path, services)
    stack = Stack(replace(plan, evidence=PlannedEvidence(tuple(sql))), servers)
    files = []
    artifacts = RunArtifacts(tmp_path, Redactor(["canary-value"]))
    problems = keep_evidence(stack, artifacts, "failures/x", files)
    return SimpleNamespace(problems=problems, files=files, asked=servers.asked)


def told(*queues):
    return json.dumps(list(queues)) + "ok\n"


def test_the_rows_of_a_query_are_kept_with_secrets_masked(tmp_path):
    found = kept(
        tmp_path, ["db"], ["select * from recent"], db=(0, '[{"key": "canary-value"}]', "")
    )
    assert [path.name for path in found.files] == ["rows.json"]
    text = found.files[0].read_text()
    assert "select * from recent" in text
    assert "key" in text
    assert "canary-value" not in text


def test_a_query_can_write_nothing_and_takes_a_bounded_time(tmp_path):
    found = kept(tmp_path, ["db"], ["select 1"], db=(0, "[]", ""))
    (_, command), *_ = found.asked
    assert "default_transaction_read_only=on" in command.environment["PGOPTIONS"]
    assert "statement_timeout" in command.environment["PGOPTIONS"]
    assert "limit 200" in command.argv[-1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, "", 'ERROR:  relation "gone" does not exist\nLINE 1'), "does not exist"),
        (WaitTimeout("psql", waited=20.0), "psql"),
        ((0, "no json", ""), "Expecting value"),
        ((2, "", ""), "exit status 2"),
    ],
)
def test_a_query_that_fails_is_told_in_the_evidence(tmp_path, answer, said):
    found = kept(tmp_path, ["db"], ["select * from gone"], db=answer)
    assert len(found.problems) == 1
    assert "`select * from gone` could not be read" in found.problems[0]
    assert said in found.problems[0]
    assert said in found.files[0].read_text()


@pytest.mark.parametrize("name", ["mq", "in-container"])
def test_the_queues_of_a_broker_are_kept_whatever_engine_runs_it(tmp_path, name):
    found = kept(tmp_path, [name, "web"], **{name: (0, told(QUEUE, DEAD), "")})
    assert found.problems == []
    assert found.files[0].read_text().splitlines() == [
        f"{name}:",
        "  orders jobs: 3 ready, 1 unacked, 0 consumers, dead letters go to dead",
        "  orders jobs.dead: 3 ready, 1 unacked, 1 consumer, holds dead letters",
    ]


def test_a_broker_that_is_down_is_told(tmp_path):
    said = "Error: unable to perform an operation on node 'rabbit@localhost'.\nMore."
    found = kept(tmp_path, ["mq"], mq=(69, "", said))
    told_first = "Error: unable to perform an operation on node 'rabbit@localhost'."
    assert found.problems == [f"evidence: the queues of mq could not be read: {told_first}"]
    assert found.files[0].read_text().splitlines() == found.problems


def test_a_stack_without_broker_and_queries_is_asked_nothing(tmp_path):
    found = kept(tmp_path, ["db", "web"])
    assert (found.files, found.problems, found.asked) == ([], [], [])


def test_a_broker_without_queues_and_the_default_exchange_are_named():
    assert list(queue_lines([])) == ["  no queues"]
    (line,) = queue_lines([{**QUEUE, "dead_letters_to": ""}])
    assert line.endswith("dead letters go to the default exchange")
