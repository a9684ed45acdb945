"""Work in a table that processes share: claimed for a lease, which is renewed while it is done."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from memory.database import Database
from memory.settings import Settings


@dataclass
class Claims:
    """What processes claim of a table; its rows have `id`, `owner`, `lease` and `created`.

    Attributes:
        database: The home's database.
        settings: Who this process is, and how long a silent one keeps its work.
        table: Name of the table.
        free: Condition of the rows that nobody works on; `:now` is the time.
        begin: What a claim changes beside owner and lease, each with a comma.
    """

    database: Database
    settings: Settings
    table: str
    free: str
    begin: str = ""
    _held: set[Any] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def next(self) -> Iterator[Any]:
        """The oldest free row, as long as it is worked on; None where there is none.

        A row that was left as it is becomes free again.
        """
        row = self._claim()
        if row is None:
            yield None
            return
        with self.held(row["id"]):
            yield row

    @contextmanager
    def held(self, row: Any) -> Iterator[None]:
        """Work on a row of this process: its lease is renewed, and no thread claims it meanwhile.

        Args:
            row: Its id.
        """
        with self._lock:
            self._held.add(row)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(row)

    def renew(self) -> None:
        """Say that this process still works on what it has claimed."""
        held = self._all_held()
        if not held:
            return  # an idle process locks nothing
        with self.database.writing() as db:
            lease = self.lease()
            db.executemany(
                f"UPDATE {self.table} SET lease = ? WHERE id = ? AND owner = ?",  # noqa: S608 - a name of ours
                [(lease, row, self.settings.server_id) for row in held],
            )

    def lease(self) -> float:
        """When a claim of now ends."""
        return time.time() + self.settings.lease

    def _claim(self) -> Any:
        with self.database.reading() as db:
            if db.execute(self._found, self._values()).fetchone() is None:
                return None
        with self.database.writing() as db:  # times are taken when nobody else writes any more
            return db.execute(
                f"UPDATE {self.table} SET {self.begin} owner = :owner, lease = :lease "  # noqa: S608 - same
                f"WHERE id = ({self._found}) RETURNING *",
                self._values(),
            ).fetchone()

    @property
    def _found(self) -> str:
        held = "SELECT value FROM json_each(:held)"  # a machine that stood still has not renewed
        return (
            f"SELECT id FROM {self.table} WHERE {self.free} AND id NOT IN ({held}) "  # noqa: S608 - same
            "ORDER BY created, id LIMIT 1"
        )

    def _values(self) -> dict[str, Any]:
        return {
            "now": time.time(),
            "owner": self.settings.server_id,
            "lease": self.lease(),
            "held": json.dumps(self._all_held()),
        }

    def _all_held(self) -> list[Any]:
        with self._lock:
            return list(self._held)
