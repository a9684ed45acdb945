"""What is made at a provider: noted before, so that a process that dies leaves nothing there."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from memory.claims import Claims
from memory.database import Database
from memory.refusals import ToolFailedError
from memory.settings import Settings

OURS = "DELETE FROM made WHERE id = ? AND owner = ? RETURNING 1"


class Made:
    """What a home's processes make at a provider, until they have kept its id.

    Args:
        database: The home's database.
        settings: Who this process is, and how long a silent one keeps its work.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database, self._settings = database, settings
        self.claims = Claims(database, settings, table="made", free="lease < :now")

    def keep(self, make: Callable[[str], str], insert: str, values: Sequence[Any]) -> str | None:
        """Make something and keep its id; None if another process was faster.

        Args:
            make: Makes it, with a name of its own; returns its id.
            insert: Keeps the id, its first value; returns a row if it did.
            values: The further values.
        """
        name, kept = str(uuid.uuid4()), False
        with self.claims.held(name):
            self._note(name, self.claims.lease())
            try:
                made = make(name)
                kept = self._keep(name, insert, (made, *values))
            finally:
                if not kept:
                    with suppress(ToolFailedError):  # the database is away: the lease ends
                        self._note(name, 0)
        return made if kept else None

    def delete_next(self, delete: Callable[[str], None]) -> bool:
        """Delete something that was made and not kept; tells whether there was any.

        Args:
            delete: Deletes what has a name.
        """
        with self.claims.next() as row:
            if row is None:
                return False
            delete(row["id"])
            with self._database.writing() as db:
                db.execute(OURS, (row["id"], self._settings.server_id))
        return True

    def _note(self, name: str, lease: float) -> None:
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?)",
                (name, self._settings.server_id, lease, time.time()),
            )

    def _keep(self, name: str, insert: str, values: Sequence[Any]) -> bool:
        with self._database.writing() as db:
            kept = db.execute(insert, values).fetchone() is not None
            if kept and not db.execute(OURS, (name, self._settings.server_id)).fetchone():
                raise ToolFailedError(
                    "INTERRUPTED", "the server stood still for too long; call again"
                )
        return kept
