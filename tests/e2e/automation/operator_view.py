"""What an operator sees in the declared views of the database, and plants there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.e2e.automation.states import MACHINES
from tests.e2e.automation.user import PATIENCE

from stackproof.oracle import Oracle

Row = dict[str, Any]

PROGRAMS = (
    "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -F \"$VIRTUALENVS_DIR/packs\""
)


def programs_of(worker: Any) -> list[str]:
    """The programs of packs that a worker runs just now."""
    found = worker.exec(["sh", "-c", PROGRAMS]).stdout
    return [line for line in found.splitlines() if "/actions/" in line]


@dataclass(frozen=True)
class Operator:
    """Somebody with access to the database.

    Attributes:
        stack: The stack.
        oracle: Judges what the audit trail says.
    """

    stack: Any
    oracle: Oracle

    def rows(self, sql: str) -> list[Row]:
        """What a query of the declared views gives."""
        found: list[Row] = self.stack.rows(sql, service="postgres")
        return found

    def history(self) -> list[Row]:
        """The whole audit trail, in order; the oracle judges each thing in it."""
        rows = self.rows(
            "select id, entity_type, entity_id, status, worker from observed.history order by id"
        )
        for row in rows:
            watch = self.oracle.watch(MACHINES[row["entity_type"]], str(row["entity_id"]))
            watch.recorded("audit trail").saw(row["status"], order=row["id"])
        return rows

    def states_of(self, execution: int) -> list[str]:
        """Each state of an execution, in order."""
        return [
            row["status"]
            for row in self.history()
            if (row["entity_type"], row["entity_id"]) == ("execution", execution)
        ]

    def starts(self, executions: list[int]) -> list[int]:
        """Executions in the order in which they began, and each as often as it did."""
        return [
            row["entity_id"]
            for row in self.history()
            if row["status"] == "running"
            and row["entity_id"] in executions
            and row["entity_type"] == "execution"
        ]

    def most_at_once(self, executions: list[int]) -> int:
        """How many of these executions ever ran at the same time, by the audit trail."""
        running: set[int] = set()
        most = 0
        for row in self.history():
            if row["entity_type"] == "execution" and row["entity_id"] in executions:
                number = row["entity_id"]
                (running.add if row["status"] == "running" else running.discard)(number)
                most = max(most, len(running))
        return most

    def wait_until_settled(self) -> None:
        """Wait until nothing is on its way: no open message, event, enforcement or execution."""
        open_ones = """
            select (select count(*) from observed.outbox where published_at is null)
                + (select count(*) from observed.events where handled_at is null)
                + (select count(*) from observed.enforcements where status = 'created')
                + (select count(*) from observed.executions
                    where ended_at is null and coalesce(not_before, now()) <= now()) as open"""
        self.stack.wait_until(
            lambda: self.rows(open_ones)[0]["open"] == 0,
            steady_for=0.3,
            timeout=PATIENCE,
            what="nothing is on its way",
        )

    def send_again(self, routing_key: str) -> int:
        """Let the relay publish messages again, as one does that died before it marked them."""
        sql = f"""
            with again as (
                update outbox set published_at = null
                where routing_key like '{routing_key}' returning id
            ) select count(*) from again"""  # noqa: S608 - the test's own value
        done = self.stack.psql(["-qAtc", sql], service="postgres")
        assert done.exit_code == 0, done.stderr
        return int(done.stdout)

    def wait_until_sent(self) -> None:
        """Wait until the relay has nothing left to publish."""
        self.stack.wait_until(
            lambda: not self.rows("select id from observed.outbox where published_at is null"),
            timeout=PATIENCE,
            what="all messages are published",
        )

    def wait_until_worker_is(self, name: str, *states: str) -> None:
        """Wait until a worker is in a state, with a fresh heartbeat unless it is inactive."""
        sql = f"""
            select status from observed.workers where name = '{name}'
            and (status = 'inactive' or heartbeat > now() - interval '2 s')"""  # noqa: S608 - same
        self.stack.wait_until(
            lambda: any(row["status"] in states for row in self.rows(sql)),
            timeout=PATIENCE,
            what=f"{name} is {' or '.join(states)}",
        )
