"""Vector stores of sessions: what was uploaded stays there while it is used and unchanged."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from typing import Any

from memory.database import Database
from memory.made import Made
from memory.prompts import Excerpt, SourceFile
from memory.providers import Providers
from memory.refusals import ToolFailedError
from memory.settings import Settings

UNUSED = "SELECT provider_id FROM store WHERE busy_until < ?"
log = logging.getLogger(__name__)


class Attachments:
    """The vector stores of a home; OpenAI keeps them, whichever model is asked.

    Args:
        database: The home's database.
        providers: The model providers.
        settings: Time limits.
    """

    def __init__(self, database: Database, providers: Providers, settings: Settings) -> None:
        self._database, self._providers, self._settings = database, providers, settings
        self.made = Made(database, settings)
        self._turn: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def excerpts(self, session: str, files: Sequence[SourceFile], question: str) -> list[Excerpt]:
        """The parts of files that fit a question best.

        Changed and new files are uploaded, files that are not there any more are deleted.

        Args:
            session: Id of the session whose store it is.
            files: The files to look in.
            question: What is looked for.

        Raises:
            ToolFailedError: If the provider can't keep or search them.
        """
        with self._turn[session]:
            store = self._use(session)
            try:
                self._bring_up_to_date(store, files)
                return list(self._provider.search(store, question))
            finally:
                self._release(session)

    def sweep(self) -> None:
        """Delete the stores that nobody has used for a while, and what dead processes have left."""
        self._sweep_unused()
        # the provider's client is loaded where there is something to delete
        while self.made.delete_next(lambda name: self._provider.delete_named(name)):  # noqa: PLW0108
            pass

    def _sweep_unused(self) -> None:
        unused = (time.time() - self._settings.store_idle,)
        with self._database.reading() as db:
            if db.execute(f"{UNUSED} LIMIT 1", unused).fetchone() is None:
                return  # an idle process locks nothing
        with self._database.writing() as db:
            gone = db.execute(UNUSED, unused).fetchall()
            lease = time.time() + self._settings.provider_timeout
            for row in gone:  # nobody else deletes it meanwhile, and no call begins to use it
                db.execute(
                    "UPDATE store SET session_id = 'deleting ' || provider_id, busy_until = ? "
                    "WHERE provider_id = ?",
                    (lease, row["provider_id"]),
                )
        for row in gone:
            try:
                self._delete(row["provider_id"])
            except ToolFailedError as failure:  # tried again when the lease has ended
                log.warning("the store %s is still there: %s", row["provider_id"], failure)

    @property
    def _provider(self) -> Any:
        return self._providers.named("openai")

    def _use(self, session: str) -> str:
        """The session's store, which nobody deletes before it is released."""
        lease = time.time() + self._settings.provider_timeout + self._settings.index_patience
        with self._database.writing() as db:
            row = db.execute(
                "UPDATE store SET busy_until = ? WHERE session_id = ? RETURNING provider_id",
                (lease, session),
            ).fetchone()
        if row:
            return str(row["provider_id"])
        store = self.made.keep(
            lambda name: self._provider.create_store(f"memory {session} {name}"),
            "INSERT INTO store (provider_id, session_id, busy_until) VALUES (?, ?, ?) "
            "ON CONFLICT (session_id) DO NOTHING RETURNING 1",
            (session, lease),
        )
        return store or self._use(session)

    def _release(self, session: str) -> None:
        with self._database.writing() as db:
            db.execute(
                "UPDATE store SET busy_until = ? WHERE session_id = ?", (time.time(), session)
            )

    def _bring_up_to_date(self, store: str, files: Sequence[SourceFile]) -> None:
        with self._database.reading() as db:
            rows = db.execute("SELECT * FROM stored_file WHERE store_id = ?", (store,)).fetchall()
        kept = {row["path"]: row for row in rows}
        wanted = {file.path: file for file in files}
        for path, row in kept.items():
            if path not in wanted or wanted[path].digest != row["digest"]:
                self._delete_file(row["provider_id"])
        for path, file in wanted.items():
            if path not in kept or kept[path]["digest"] != file.digest:
                self._add_file(store, file)

    def _add_file(self, store: str, file: SourceFile) -> None:
        self.made.keep(
            partial(self._provider.add_file, store, file),
            "INSERT INTO stored_file (provider_id, store_id, path, digest) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (store_id, path) DO NOTHING RETURNING 1",
            (store, file.path, file.digest),
        )

    def _delete_file(self, provider_id: str) -> None:
        self._provider.delete_file(provider_id)
        with self._database.writing() as db:
            db.execute("DELETE FROM stored_file WHERE provider_id = ?", (provider_id,))

    def _delete(self, store: str) -> None:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT provider_id FROM stored_file WHERE store_id = ?", (store,)
            ).fetchall()
        for row in rows:
            self._delete_file(row["provider_id"])
        self._provider.delete_store(store)
        with self._database.writing() as db:
            db.execute("DELETE FROM store WHERE provider_id = ?", (store,))
