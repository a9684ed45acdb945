"""The loop from an edit to a stack that is well: hear of it, read what it means, do that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from stackproof.engines.base import Say
from stackproof.errors import NoStack, StackBusy, StackproofError
from stackproof.lifecycle.belonging import own_record, refuse_other_engine
from stackproof.lifecycle.strictness import refuse_weak_world
from stackproof.lifecycle.watching.doing import Edit
from stackproof.lifecycle.watching.events import Events, FileEvents
from stackproof.lifecycle.watching.folders import (
    files_of_rules,
    may_matter,
    refuse_unsupported,
    rules_of,
    watched_folders,
)
from stackproof.lifecycle.watching.meaning import Digests, changed_files, meaning
from stackproof.plan.addressing.guard import refuse_foreign_targets
from stackproof.reaper.lock import ProjectLock
from stackproof.settings.storage import storage_errors
from stackproof.stack.resolved import ResolvedStack, resolve
from stackproof.stack.running_record import RunningRecord, read_about
from stackproof.waiting import CLOCK, Clock, Deadline


def watch(
    resolved: ResolvedStack,
    say: Say,
    *,
    learn: Callable[[Sequence[str]], None] = lambda _: None,
    listen: Callable[[Collection[Path]], Events] = FileEvents,
    clock: Clock = CLOCK,
) -> None:
    """Let a stack that is up follow its files until it is taken down, or KeyboardInterrupt.

    A failure is told, and the next edit is waited for.

    Args:
        resolved: The stack.
        say: Takes a line for each service that an edit concerns.
        learn: Takes the secrets of the stack whenever its files are read.
        listen: Hears of changes in folders.
        clock: Tells how long it takes.

    Raises:
        ConfigError: If `develop.watch` asks for something that can't be done.
    """
    refuse_unsupported(resolved)
    _Watch(resolved, say, learn, clock).run(listen)


class _NewerError(Exception):
    """A further edit came while services were waited for."""


@dataclass
class _Watch:
    """The state of a watch.

    Attributes:
        resolved: The stack as it was read last.
        files: The files that rules are about, as they were when the stack followed them last.
        tried: What was tried last and has not come to its end.
        unsure: Files, by service, of which nobody knows whether the service has got them: what was
            tried with them has not come to its end.
        told: The last failure that was told.
        is_due: Whether there is something to do that no event will tell of.
    """

    resolved: ResolvedStack
    say: Say
    learn: Callable[[Sequence[str]], None]
    clock: Clock
    files: dict[str, Digests] = field(default_factory=dict)
    tried: Any = None
    unsure: dict[str, set[Path]] = field(default_factory=dict)
    told: str = ""
    is_due: bool = False

    def __post_init__(self) -> None:
        self.folders = watched_folders(self.resolved)
        self.files = files_of_rules(rules_of(self.resolved))

    def run(self, listen: Callable[[Collection[Path]], Events]) -> None:
        """Follow edits until the stack is down."""
        while self._is_up():
            folders = self.folders
            with closing(listen(folders)) as events:
                self._look(events)  # what was edited before it listened
                while self.folders == folders and self._is_up():
                    if _matters(events) or self.is_due:
                        self._look(events)
        self.say(f"{self.resolved.plan.project} is not up any more; the watch has ended")

    def _is_up(self) -> bool:
        return read_about(self.resolved.run) is not None

    def _look(self, events: Events) -> None:
        """Read what the files say, and do what follows; a failure is told."""
        since, self.is_due = Deadline(0, self.clock), False
        try:
            with storage_errors():
                now = self._read()
        except StackproofError as error:
            self._tell_once(error)
            return
        self.told = ""
        try:
            with storage_errors(), ProjectLock(now.run, now.request.environment):
                self._follow(now, events, since)
        except (_NewerError, StackBusy):  # busy: another command works on the stack
            self.is_due = True
        except NoStack:
            return
        except StackproofError as error:
            self._tell_once(error)

    def _tell_once(self, error: StackproofError) -> None:
        if str(error) != self.told:
            self.told = str(error)
            self.say(f"ERROR {error}\nstill watching; the next edit is tried again")

    def _read(self) -> ResolvedStack:
        now, running = resolve(self.resolved.request), self.resolved
        self.learn(now.plan.secrets)
        if now.run.path != running.run.path:
            raise StackproofError(
                f"the files call the stack {now.plan.project} now",
                observed=f"what runs is {running.plan.project}",
                remedy=f"end the watch, `invoke down --project {running.plan.project}`, and begin "
                "again",
            )
        refuse_foreign_targets(now.plan, "up")
        refuse_weak_world(now)
        refuse_unsupported(now)
        self.folders, self.resolved = watched_folders(now), now
        return now

    def _follow(self, now: ResolvedStack, events: Events, since: Deadline) -> None:
        known = own_record(now)
        if known is None:
            raise NoStack(f"{now.plan.project} is not up")
        refuse_other_engine(now, known)
        rules = rules_of(now)
        after, files = now.of_run(known).record(complete=True), files_of_rules(rules)
        changed = {
            name: [
                *changed_files(self.files.get(name, digests), digests),
                *self.unsure.get(name, ()),
            ]
            for name, digests in files.items()
        }
        found = meaning(known, after, rules, changed, lays_out=now.engine.name == "process")
        said = _said(now, after)
        if found and said == self.tried:
            return  # it has failed
        if found:
            self.tried = said
            for act in found.acts:
                paths = {path for path in act.why if isinstance(path, Path)}
                self.unsure.setdefault(act.service, set()).update(paths)
            waiting = partial(self._require_newest, now, events)
            Edit(now, known, after, found, since, self.say, waiting).follow()
        self.tried, self.files, self.unsure = None, files, {}

    def _require_newest(self, tried: ResolvedStack, events: Events, _line: str) -> None:
        """End a wait for what has been edited again."""
        self.is_due = self.is_due or _matters(events)
        if not self.is_due:
            return
        try:
            now, known = resolve(tried.request), read_about(tried.run)
        except StackproofError:
            return  # it is told after the wait
        if known and _said(now, now.of_run(known).record(complete=True)) != self.tried:
            raise _NewerError


def _said(now: ResolvedStack, record: RunningRecord) -> object:
    """All that the files say."""
    return record.services, files_of_rules(rules_of(now))


def _matters(events: Events) -> bool:
    return any(map(may_matter, events.next()))
