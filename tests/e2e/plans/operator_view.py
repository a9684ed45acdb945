"""What an operator sees and does in the database, where the scenarios may reach it."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from tests.e2e.plans.expectations import Expectations
from tests.e2e.plans.history import life_of

from stackproof.errors import NotAttached
from stackproof.oracle import Oracle

IDLE_WITHIN = 30.0  # seconds


@dataclass(frozen=True)
class Operator:
    """Somebody with access to the database.

    Attributes:
        stack: The stack.
        oracle: Judges what the audit trail says.
        expected: Names of tables' contents.
    """

    stack: Any
    oracle: Oracle
    expected: Expectations

    def execute(self, sql: str) -> None:
        """Run a statement."""
        done = self.stack.psql(["-qc", sql], service=self.expected.database)
        assert done.exit_code == 0, done.stderr

    def empty_database(self) -> None:
        """Drop every table, if the database is the stack's own."""
        if not self.stack.running.owns_data(self.expected.database):
            raise NotAttached("nobody drops the tables of somebody else's database")
        self.execute("drop schema public cascade")
        self.execute("create schema public")

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a query gives."""
        found: list[dict[str, Any]] = self.stack.rows(sql, service=self.expected.database)
        return found

    def audit(self, plan: str) -> list[str]:
        """Everything that has happened to a plan; the oracle judges it."""
        rows = self.rows(f"select id, type from events where plan_id = '{plan}' order by id")  # noqa: S608 - the test's own values
        life = self.oracle.watch(life_of(self.expected.states), f"of plan {plan}")
        trail = life.recorded("audit trail")
        for row in rows:
            state = self.expected.state_after(row["type"])
            if state is not None:
                trail.saw(state, order=row["id"])
        return [row["type"] for row in rows]

    def claims(self, plan: str) -> int:
        """How often a worker has taken a plan on."""
        return self.audit(plan).count(self.expected.claim_event)

    def losses(self, plan: str) -> int:
        """How often a plan has lost its worker."""
        return self.audit(plan).count(self.expected.loss_event)

    def worker_of(self, plan: str) -> str:
        """Service of the worker that works on a plan."""
        [row] = self.rows(f"select id from workers where current_plan = '{plan}'")  # noqa: S608 - same
        return str(row["id"])

    def wait_until_settled(self, plan: str) -> None:
        """Wait until no worker has anything to do with a plan any more."""
        self.stack.wait_until(
            lambda: not self.rows(f"select id from workers where current_plan = '{plan}'"),  # noqa: S608 - same
            timeout=IDLE_WITHIN,
            what=f"no worker has plan {plan} in its hands",
        )

    def wait_until_worker_rests(self, worker: str) -> None:
        """Wait until a worker is alive and has no plan in its hands."""
        self.stack.wait_until(
            lambda: self.rows(
                f"select id from workers where id = '{worker}' and current_plan is null "  # noqa: S608 - same
                "and heartbeat > now() - interval '2 s'"
            ),
            timeout=IDLE_WITHIN,
            what=f"{worker} rests",
        )

    def set_version(self, plan: str, version: int | None) -> None:
        """Plant another version of the pipeline into a plan's parameters; None takes it out."""
        key = self.expected.version_key
        change = (
            f"parameters - '{key}'"
            if version is None
            else f"jsonb_set(parameters::jsonb, '{{{key}}}', '{version}')"
        )
        self.execute(f"update plans set parameters = {change} where id = '{plan}'")  # noqa: S608 - same

    def set_version_in_zip(self, plan: str, version: int) -> None:
        """Plant another version of the pipeline into the metadata of a plan's zip, only there."""
        [row] = self.rows(
            f"select encode(run_zip_snapshot, 'hex') as zip from plans where id = '{plan}'"  # noqa: S608 - same
        )
        changed = self._with_version(bytes.fromhex(row["zip"]), version).hex()
        self.execute(
            f"update plans set run_zip_snapshot = decode('{changed}', 'hex') where id = '{plan}'"  # noqa: S608 - same
        )

    def _with_version(self, content: bytes, version: int) -> bytes:
        buffer = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(content)) as before,
            zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as after,
        ):
            for name in before.namelist():
                data = before.read(name)
                if name == self.expected.metadata_file:
                    data = json.dumps(
                        {**json.loads(data), self.expected.version_key: version}
                    ).encode()
                after.writestr(name, data)
        return buffer.getvalue()
