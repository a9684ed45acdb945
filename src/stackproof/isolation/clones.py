"""Databases for one test each: cloned from a template ahead of time, dropped after use."""

from __future__ import annotations

import re
import secrets
import threading
from collections import deque

from stackproof.settings.model import SAFE_ENDINGS
from stackproof.stack.sql_session import SqlSession

AHEAD = 2
"""Clones that are kept ready."""

LONGEST_NAME = 63
"""Bytes of an identifier; PostgreSQL cuts longer ones off."""

STRATEGY_SINCE = 150000
"""Server version that knows STRATEGY; older ones always copy files."""

MOST_USED = 8
"""So many used ones may wait to be dropped while tests wait for new ones."""

_ENDING = re.compile(rf"^(?P<stem>.*?)(?P<ending>{'|'.join(SAFE_ENDINGS)})?$")

TEMPLATE_QUERY = """\
select current_setting('server_version_num'), quote_ident(rolname),
  datacl is not null or exists (select from pg_db_role_setting where setdatabase = d.oid)
  from pg_database d join pg_roles r on r.oid = d.datdba where datname = {name}"""

PROPERTIES = (
    """\
update pg_database set datacl = t.datacl from pg_database t
  where t.datname = {template} and pg_database.datname = {name}""",
    """\
insert into pg_db_role_setting select n.oid, setrole, setconfig from pg_db_role_setting
  join pg_database t on t.oid = setdatabase, pg_database n
  where t.datname = {template} and n.datname = {name}""",
)
"""What CREATE DATABASE leaves behind in the template: ALTER DATABASE … SET, and privileges."""


def clone_name(template: str) -> str:
    """A new name for a clone: it ends as the template's does, so that it is as safe to lose.

    Args:
        template: Name of the template, such as `runs_e2e`; `runs_1f0c93ab_e2e` is one of a clone.
    """
    match = _ENDING.match(template)
    stem, ending = (match["stem"], match["ending"] or "") if match else (template, "")
    added = f"_{secrets.token_hex(4)}{ending}"
    return stem[: LONGEST_NAME - len(added)] + added


class Clones:
    """Makes clones in a thread of its own, before they are asked for.

    The template takes no connections from now on: whatever would work on it by mistake fails.

    Args:
        session: A superuser's session outside the template; it is closed with this.
        template: Name of the database to clone.
        ahead: How many are kept ready.

    Raises:
        CommandFailed: If the template can't be used.
    """

    def __init__(self, session: SqlSession, template: str, *, ahead: int = AHEAD) -> None:
        self.session = session
        self.template = template
        self.ahead = ahead
        self._changed = threading.Condition()
        self._ready: deque[str] = deque()
        self._used: deque[str] = deque()
        self._waiting = 0
        self._is_closed = False
        self._is_busy = False
        self._error: Exception | None = None
        quoted = _identifier(template)
        session.run(f"alter database {quoted} with is_template true allow_connections false")
        (row,) = session.run(TEMPLATE_QUERY.format(name=_literal(template)))
        version, owner, has_properties = row.split("|")
        strategy = " strategy file_copy" if int(version) >= STRATEGY_SINCE else ""
        self._options = f"template {quoted} owner {owner}{strategy}"
        self._has_properties = has_properties == "t"
        self._thread = threading.Thread(target=self._work, name="stackproof-clones", daemon=True)
        self._thread.start()

    def take(self) -> str:
        """The name of a clone that nobody else gets; waits for it if none is ready.

        Raises:
            CommandFailed: If one could not be made or dropped.
        """
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                self._changed.wait_for(lambda: self._ready or self._error is not None)
            finally:
                self._waiting -= 1
            if not self._ready and self._error is not None:
                raise self._error
            return self._ready.popleft()

    def give_back(self, name: str) -> None:
        """Let a clone be dropped, whoever is still connected to it."""
        with self._changed:
            self._used.append(name)
            self._changed.notify_all()

    def wait_idle(self) -> None:
        """Wait until nothing is to be made or dropped.

        Raises:
            CommandFailed: If a clone could not be made or dropped.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._error is not None or self._is_idle())
            if self._error is not None:
                raise self._error

    def _is_idle(self) -> bool:
        return not self._is_busy and not self._used and len(self._ready) >= self._wanted

    def close(self, *, reopen: bool = False) -> None:
        """End the thread and the session; the clones end with their server.

        Args:
            reopen: Let the template take connections again, for a server that is left up.
        """
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()
        if reopen:
            template = _identifier(self.template)
            self.session.run(f"alter database {template} with allow_connections true")
        self.session.close()

    def _work(self) -> None:
        try:
            while (what := self._next()) is not None:
                if what:
                    self.session.run(f"drop database {_identifier(what)} with (force)")
                else:
                    self._make()
        except Exception as error:  # noqa: BLE001 - whoever asks for a clone gets it
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The clone to be dropped, "" where one is to be made; None at the end."""
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_closed or self._used or len(self._ready) < self._wanted
            )
            if self._is_closed:
                return None
            self._is_busy = True
            is_urgent = len(self._ready) < self._waiting and len(self._used) <= MOST_USED
            return self._used.popleft() if self._used and not is_urgent else ""

    @property
    def _wanted(self) -> int:
        return max(self.ahead, self._waiting)

    def _make(self) -> None:
        name = clone_name(self.template)
        self.session.run(f"create database {_identifier(name)} {self._options}")
        if self._has_properties:
            for statement in PROPERTIES:
                self.session.run(
                    statement.format(template=_literal(self.template), name=_literal(name))
                )
        with self._changed:
            self._ready.append(name)
            self._changed.notify_all()


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
