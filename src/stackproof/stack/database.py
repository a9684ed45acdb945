"""The marker in a database, which says that this run made it and may touch it."""

from __future__ import annotations

from dataclasses import dataclass

from stackproof.errors import CommandFailed, NoStack, Refused
from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.leftovers import read_run
from stackproof.stack.postgres import database_services
from stackproof.stack.running import Stack

SERVER = "(select system_identifier::text from pg_control_system())"
"""What initdb gives to each server; a dump does not carry it, a copied data folder does."""

CHECK = "md5(concat_ws('/', made_by, run, server, created_at))"
"""Tells a marker that somebody has changed; no secret, since it only guards against mistakes."""

MARK = f"""
drop schema if exists stackproof cascade;
create schema stackproof;
create table stackproof.marker (
  made_by text not null, run text not null, server text not null,
  created_at text not null, digest text not null
);
insert into stackproof.marker
  select made_by, run, server, created_at, {CHECK} from (
    select 'stackproof' as made_by, :'run' as run, {SERVER} as server,
      to_char(now() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS UTC') as created_at
  ) as one;
grant usage on schema stackproof to public;
grant select on stackproof.marker to public;
"""  # noqa: S608 - the run stands in it as a variable of psql

MARKER_QUERY = f"""
select run, server, {SERVER}, digest = {CHECK} and made_by = 'stackproof' from stackproof.marker
"""  # noqa: S608 - nothing but constants

PARTS = 4

NO_CONNECTION = 2
"""Exit status of psql where it has no connection to the server (PostgreSQL documentation, psql)."""


@dataclass(frozen=True)
class Marker:
    """What a database says of who made it.

    Attributes:
        run: Identity of the run.
        server: System identifier of the server in which it was marked.
        here: That of the server in which it stands.
        is_whole: Whether nobody has changed it.
    """

    run: str
    server: str
    here: str
    is_whole: bool

    def fault(self, run: str) -> str:
        """Why it does not say that a run made the database; empty where it does.

        Args:
            run: Identity of the run; empty where none is known.
        """
        if not self.is_whole:
            return "it was changed after stackproof wrote it"
        if self.server != self.here:
            return (
                f"it was made in the server {self.server} and stands in {self.here}, so it was "
                "restored from another database"
            )
        if not run or self.run != run:
            return (
                f"it was made by the run {self.run}, and this run is {run or 'unknown'}, so the "
                "data were copied from another stack"
            )
        return ""


def read_marker(stack: Stack, service: str) -> Marker | None:
    """The marker in the database of a service; None where there is none.

    Raises:
        NoStack: If the database can't be asked, since its server is down.
    """
    done = stack.psql(["-AtF", "|", "-c", MARKER_QUERY], service=service)
    if done.exit_code == NO_CONNECTION:
        raise NoStack(
            f"the database of {service} does not answer",
            observed=done.stderr.strip(),
            remedy=f"`invoke status` shows whether {service} runs; `invoke up` starts it",
        )
    parts = done.stdout.strip().split("|")
    if done.exit_code or len(parts) != PARTS:
        return None
    run, server, here, is_whole = parts
    return Marker(run, server, here, is_whole == "t")


def mark_databases(stack: Stack) -> None:
    """Put the marker of this run into each database that the stack itself has started.

    What was there before is replaced: the data may be those of a snapshot, or of the run before,
    which the engine has kept for this one. Servers that other runs have started keep theirs.

    Args:
        stack: The running stack.

    Raises:
        CommandFailed: If a database refuses it.
    """
    for service in database_services(stack.plan):
        if service.shared or not stack.running.owns_data(service.name):
            continue
        run = _run_of(stack.plan, service)
        arguments = ["-qv", f"run={run}", "--single-transaction", "-f", "-"]
        argv, environment = stack.psql_command(arguments, service.name)
        done = stack.service(service.name).exec(argv, environment=environment, stdin=MARK)
        if done.exit_code:
            raise CommandFailed(
                f"the database of {service.name} could not be marked as the stack's own",
                exit_code=done.exit_code,
                output=done.stderr.strip(),
            )


def require_marker(stack: Stack, action: str) -> None:
    """Refuse an action on databases that do not carry the marker of their run inside.

    Args:
        stack: The running stack; each of its PostgreSQL services is asked.
        action: What is about to be done, for the error text.

    Raises:
        Refused: If a database has no marker, or that of another run or server.
        NoStack: If a database can't be asked.
    """
    for service in database_services(stack.plan):
        marker = read_marker(stack, service.name)
        if marker is None:
            raise Refused(
                f"{action} is refused: the database of {service.name} has no stackproof marker",
                observed="the table stackproof.marker, which is made with each database of a "
                "stack, is not there or can't be read",
                remedy="if it is yours, stackproof must not touch it; if it was the stack's and "
                "the table was dropped, `invoke up --fresh` makes a new one",
            )
        fault = marker.fault(_run_of(stack.plan, service))
        if fault:
            raise Refused(
                f"{action} is refused: the marker in the database of {service.name} is not this "
                "run's",
                observed=fault,
                remedy="if the data are yours, stackproof must not touch them; if they are "
                "disposable, `invoke up --fresh` starts from empty data",
            )


def _run_of(plan: Plan, service: ServicePlan) -> str:
    """Identity of the run that has started a service; empty where it has no record."""
    folder = plan.run_folder
    state = read_run(folder.with_name(service.shared) if service.shared else folder)
    return state.run_id if state is not None else ""
