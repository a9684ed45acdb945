"""Does what an edit means: gives files, restarts services, starts them anew, and tells of each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.errors import CommandFailed
from stackproof.lifecycle.strictness import require_enforced
from stackproof.lifecycle.updating import update
from stackproof.lifecycle.watching.meaning import Act, Meaning
from stackproof.lifecycle.watching.syncing import give, run_hook
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack
from stackproof.stack.running_record import RunningRecord, write_about
from stackproof.waiting import Deadline

SHOWN = 3
"""So many files of an edit are named."""

SAID_BETTER = ("changed: ", "starting ", "note: ")
"""How lines of an update begin that the line of an edit says better, or that `up` has said."""


@dataclass(frozen=True)
class Edit:
    """What was edited, and what it means.

    Attributes:
        now: The stack as its files describe it now.
        known: What it runs from.
        after: What it is to run from.
        meaning: What has to happen.
        since: When it was seen.
        say: Takes a line for each service.
        waiting: Takes lines while services are waited for; what it raises ends the wait.
    """

    now: ResolvedStack
    known: RunningRecord
    after: RunningRecord
    meaning: Meaning
    since: Deadline
    say: Say
    waiting: Say

    def follow(self) -> None:
        """Do it.

        Raises:
            StartFailed: If a service does not become ready.
        """
        known, goes_on = self._sync()
        anew = [act for act in self.meaning.acts if act.service not in goes_on]
        if not (anew or self.meaning.removed):
            return
        stack = update(
            self.now,
            known,
            self._say_of_update,
            left=(*self.meaning.left, *goes_on),
            forks=self.now.settings.isolation.preload == "auto",
            waiting=self.waiting,
        )
        require_enforced(self.now, stack, stays=True)
        self._tell(stack, anew)
        for name in self.meaning.removed:
            self.say(f"{name} is no longer in the stack file → removed")

    def _say_of_update(self, line: str) -> None:
        if not line.startswith(SAID_BETTER) and ": restarted with " not in line:
            self.say(line)

    def _sync(self) -> tuple[RunningRecord, list[str]]:
        """Let services go on, or start again, with files that they are given.

        Returns:
            What the stack runs from then, and the services that need nothing more.
        """
        known, goes_on = self.known, []
        for act in self.meaning.acts:
            if act.does == "anew":
                continue
            try:
                self._go_on(act)
            except CommandFailed as error:
                self.say(f"{error}\n{act.service} gets its files by a new start instead")
                known = known.without_start_of([act.service])
                continue
            known = _with_files(known, self.after, act)
            write_about(self.now.run, known)
            goes_on.append(act.service)
        return known, goes_on

    def _go_on(self, act: Act) -> None:
        now = self.now
        running = now.engine.attach(now.plan, now.run)
        reads_them = now.engine.name == "process" and now.plan.service(act.service).world is None
        if not reads_them:  # else its files are those that were saved
            give(running, act.service, act.files)
        if act.does == "restart":
            running.control("restart", now.plan.restarted_with([act.service]))
            self._tell(Stack(now.plan, running), [act])
            return
        for rule in act.then:
            run_hook(running, act.service, rule)
        ran = "".join(f", then ran {' '.join(rule.command)}" for rule in act.then)
        done = "synced" if act.files else "there already"
        self.say(f"{self._named(act.why)} → {act.service} → {done}{ran}{self._after()}")

    def _tell(self, stack: Stack, acts: Sequence[Act]) -> None:
        """A line for each service that was started."""
        states = {state.name: state.health or state.state for state in stack.running.status()}
        after = self._after()
        for act in acts:
            self.say(f"{self._named(act.why)} → {act.service} → {states[act.service]}{after}")
        names = [act.service for act in acts]
        for name in stack.plan.restarted_with(names):
            if name not in names:
                causes = [one for one in stack.plan.service(name).restarts_with if one in states]
                self.say(f"{', '.join(causes)} → {name} → {states[name]}{after}")

    def _after(self) -> str:
        return f" after {self.since.waited:.1f} s"

    def _named(self, why: Collection[Path | str]) -> str:
        root = self.now.settings.root
        names = [
            str(one.relative_to(root)) if isinstance(one, Path) and one.is_relative_to(root) else
            str(one) for one in why
        ]  # fmt: skip
        more = len(names) - SHOWN
        return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _with_files(known: RunningRecord, after: RunningRecord, act: Act) -> RunningRecord:
    """What a stack runs from once a service has got the files of an act."""
    service = known.services[act.service]
    files, new = dict(service["files"] or {}), after.services[act.service]["files"] or {}
    for path in map(str, act.why):
        if path in new:
            files[path] = new[path]
        else:
            files.pop(path, None)
    return replace(known, services={**known.services, act.service: {**service, "files": files}})
