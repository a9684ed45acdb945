"""SQLite with a write-ahead log, shared by all processes of a home."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from memory.refusals import ToolFailedError

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, session_id TEXT NOT NULL REFERENCES session (id),
    role TEXT NOT NULL, model TEXT NOT NULL, text TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS message_of_session ON message (session_id, id);
CREATE TABLE IF NOT EXISTS inlined (
    session_id TEXT NOT NULL, path TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (session_id, path)
);
CREATE TABLE IF NOT EXISTS summary (
    id INTEGER PRIMARY KEY, session_id TEXT NOT NULL REFERENCES session (id),
    message_id INTEGER NOT NULL UNIQUE REFERENCES message (id),
    state TEXT NOT NULL CHECK (state IN ('pending', 'stored', 'failed')),
    text TEXT NOT NULL DEFAULT '', tries INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
    owner TEXT NOT NULL DEFAULT '', lease REAL NOT NULL DEFAULT 0, created REAL NOT NULL
);
CREATE VIRTUAL TABLE IF NOT EXISTS summary_text USING fts5 (text, tokenize = 'porter unicode61');
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY, tool TEXT NOT NULL, arguments TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    result TEXT, starts INTEGER NOT NULL DEFAULT 0, owner TEXT NOT NULL DEFAULT '',
    lease REAL NOT NULL DEFAULT 0, created REAL NOT NULL, updated REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS store (
    session_id TEXT PRIMARY KEY, provider_id TEXT NOT NULL UNIQUE, busy_until REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS stored_file (
    provider_id TEXT PRIMARY KEY, store_id TEXT NOT NULL REFERENCES store (provider_id),
    path TEXT NOT NULL, digest TEXT NOT NULL, UNIQUE (store_id, path)
);
CREATE TABLE IF NOT EXISTS made (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, lease REAL NOT NULL, created REAL NOT NULL
);
"""


class Database:
    """The database of a home.

    Args:
        path: Its file.
        patience: Seconds that a transaction waits for others.
    """

    def __init__(self, path: Path, patience: float) -> None:
        self.path, self.patience = path, patience

    def create(self) -> None:
        """Make the tables where they are missing."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _told(), _alone(self.path.parent), closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that only reads; it never waits for a writer."""
        with _told(), closing(self._connect()) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that writes; it is committed at its end, or rolled back by an exception."""
        with _told(), closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self.patience, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for other processes: SQLite itself does not, where the mode of the journal changes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _told() -> Iterator[None]:
    """Tell of a database that can't be used in words for the caller."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ToolFailedError("DATABASE_UNAVAILABLE", f"the database: {error}") from error
