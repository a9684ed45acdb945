"""What the project remembers: summaries of what was said, found by their words."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from memory.claims import Claims
from memory.database import Database
from memory.models import BY_NAME
from memory.prompts import exchange
from memory.providers import Options, Providers
from memory.settings import Settings

MOST_TRIES = 5
log = logging.getLogger(__name__)


def search(database: Database, query: str, limit: int) -> list[dict[str, Any]]:
    """The summaries that share words with a query, the best first.

    Args:
        database: The home's database.
        query: Words to look for.
        limit: Most summaries to find.
    """
    words = re.findall(r"\w+", query)
    if not words:
        return []
    with database.reading() as db:
        rows = db.execute(
            "SELECT summary.session_id, summary.text, summary.created FROM summary_text "
            "JOIN summary ON summary.id = summary_text.rowid "
            "WHERE summary_text MATCH ? ORDER BY bm25(summary_text), summary.id LIMIT ?",
            (" OR ".join(f'"{word}"' for word in words), limit),
        ).fetchall()
    return [dict(row) for row in rows]


class Summaries:
    """Writes the summaries that were asked for, one at a time, also those of a process that died.

    Args:
        database: The home's database.
        providers: The model providers.
        settings: Which model writes, and how long a silent process keeps its work.
    """

    def __init__(self, database: Database, providers: Providers, settings: Settings) -> None:
        self._database, self._providers, self._settings = database, providers, settings
        self.claims = Claims(
            database,
            settings,
            table="summary",
            free="(state = 'pending' AND lease < :now)",
            begin="tries = tries + 1,",
        )

    def write_next(self) -> bool:
        """Write a summary that nobody writes; tells whether there was one."""
        with self.claims.next() as row:
            if row is None:
                return False
            try:
                text = self._write(row["message_id"])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told and counted
                log.warning("no summary of message %s: %s", row["message_id"], error)
                self._fail(row["id"], str(error), row["tries"])
            else:
                self._store(row["id"], text)
        return True

    def _write(self, message: int) -> str:
        with self._database.reading() as db:
            answer = db.execute("SELECT * FROM message WHERE id = ?", (message,)).fetchone()
            question = db.execute(
                "SELECT text FROM message WHERE session_id = ? AND id < ? ORDER BY id DESC LIMIT 1",
                (answer["session_id"], message),
            ).fetchone()
        model = BY_NAME[self._settings.summary_model]
        turn = exchange(question["text"], answer["text"])
        return self._providers.of(model).ask(model, [turn], Options()).text

    def _store(self, summary: int, text: str) -> None:
        with self._database.writing() as db:
            stored = db.execute(
                "UPDATE summary SET state = 'stored', text = ?, owner = '' "
                "WHERE id = ? AND state = 'pending' RETURNING 1",
                (text, summary),
            ).fetchone()
            if stored:
                db.execute("INSERT INTO summary_text (rowid, text) VALUES (?, ?)", (summary, text))

    def _fail(self, summary: int, error: str, tries: int) -> None:
        pause = min(2.0**tries / 10, 60.0)
        state = "failed" if tries >= MOST_TRIES else "pending"
        with self._database.writing() as db:
            db.execute(
                "UPDATE summary SET state = ?, error = ?, owner = '', lease = ? "
                "WHERE id = ? AND state = 'pending' AND owner = ?",
                (state, error, time.time() + pause, summary, self._settings.server_id),
            )
