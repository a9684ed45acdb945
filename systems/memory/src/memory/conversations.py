"""Sessions and what was said in them; shared between the models, never between sessions."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from memory.database import Database
from memory.prompts import SourceFile, Turn
from memory.refusals import ToolFailedError


def turns(database: Database, session: str) -> list[Turn]:
    """What was said in a session so far.

    Args:
        database: The home's database.
        session: Id of the session; one that nobody has used is empty.
    """
    with database.reading() as db:
        rows = db.execute(
            "SELECT role, text FROM message WHERE session_id = ? ORDER BY id", (session,)
        ).fetchall()
    return [Turn(row["role"], row["text"]) for row in rows]


def unsent(database: Database, session: str, files: Iterable[SourceFile]) -> list[SourceFile]:
    """The files that the session's models have not read in this form yet.

    Args:
        database: The home's database.
        session: Id of the session.
        files: Files that a call refers to.
    """
    with database.reading() as db:
        sent = {
            row["path"]: row["digest"]
            for row in db.execute(
                "SELECT path, digest FROM inlined WHERE session_id = ?", (session,)
            )
        }
    return [file for file in files if sent.get(file.path) != file.digest]


def record(
    database: Database,
    session: str,
    model: str,
    question: Turn,
    answer: str,
    inlined: Iterable[SourceFile],
) -> None:
    """Keep an exchange, and ask for its summary, in one transaction.

    Args:
        database: The home's database.
        session: Id of the session.
        model: Name of the model.
        question: The user's turn.
        answer: The model's.
        inlined: Files that the turn has whole.
    """
    now = time.time()
    with database.writing() as db:
        db.execute(
            "INSERT INTO session VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET updated = excluded.updated",
            (session, now, now),
        )
        insert = "INSERT INTO message (session_id, role, model, text, created) VALUES (?,?,?,?,?)"
        db.execute(insert, (session, question.role, model, question.text, now))
        said = db.execute(insert, (session, "assistant", model, answer, now)).lastrowid
        db.executemany(
            "INSERT OR REPLACE INTO inlined VALUES (?, ?, ?)",
            [(session, file.path, file.digest) for file in inlined],
        )
        db.execute(
            "INSERT INTO summary (session_id, message_id, state, created) "
            "VALUES (?, ?, 'pending', ?)",
            (session, said, now),
        )


def listed(database: Database) -> list[dict[str, Any]]:
    """All sessions, the latest first."""
    with database.reading() as db:
        rows = db.execute(
            "SELECT id, created, updated, "
            "(SELECT count(*) FROM message WHERE session_id = session.id) AS messages "
            "FROM session ORDER BY updated DESC, id"
        ).fetchall()
    return [
        {"session_id": row["id"], "created": row["created"], "updated": row["updated"],
         "messages": row["messages"]}
        for row in rows
    ]  # fmt: skip


def described(database: Database, session: str) -> dict[str, Any]:
    """What was said in a session, by which model, and how its summaries are.

    Raises:
        ToolFailedError: If there is no such session.
    """
    with database.reading() as db:
        found = db.execute("SELECT * FROM session WHERE id = ?", (session,)).fetchone()
        if found is None:
            raise ToolFailedError("SESSION_NOT_FOUND", f"there is no session {session!r}")
        messages = db.execute(
            "SELECT role, model, text, created FROM message WHERE session_id = ? ORDER BY id",
            (session,),
        ).fetchall()
        summaries = db.execute(
            "SELECT state, text, tries, error FROM summary WHERE session_id = ? ORDER BY id",
            (session,),
        ).fetchall()
    return {
        "session_id": session,
        "created": found["created"],
        "updated": found["updated"],
        "messages": [dict(row) for row in messages],
        "summaries": [dict(row) for row in summaries],
    }
