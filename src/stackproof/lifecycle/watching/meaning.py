"""What changed files, settings and stack files mean for the services of a running stack."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stackproof.plan.services.dockerignore import fits
from stackproof.stack.changes import differences
from stackproof.stack.running_record import RunningRecord
from stackproof.stack_file.model import WatchRule

ActName = Literal["anew", "restart", "sync"]

Digests = Mapping[str, str]
"""Files with a digest of each."""


@dataclass(frozen=True)
class Synced:
    """A file that a service gets while it runs.

    Attributes:
        source: The file.
        target: Its path in the service.
    """

    source: Path
    target: str


@dataclass(frozen=True)
class Act:
    """What has to happen to one service.

    Attributes:
        service: Its name.
        does: `anew`: it starts with the files and the plan as they are now; `restart`: it starts
            again with the files that it has; `sync`: it goes on.
        why: What has changed: files, or differences of the plan in words.
        files: What it gets first; none where it starts anew.
        then: Rules of which a command runs in it at last.
    """

    service: str
    does: ActName
    why: tuple[Path | str, ...]
    files: tuple[Synced, ...] = ()
    then: tuple[WatchRule, ...] = ()


@dataclass(frozen=True)
class Meaning:
    """What has to happen to a stack.

    Attributes:
        acts: One for each service that is concerned.
        removed: Services that it no longer has.
        left: Services with changes that no rule of their `develop.watch` is for.
    """

    acts: tuple[Act, ...] = ()
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.acts or self.removed)


def meaning(
    before: RunningRecord,
    after: RunningRecord,
    rules: Mapping[str, Sequence[WatchRule]],
    changed: Mapping[str, Sequence[Path]],
    *,
    lays_out: bool,
) -> Meaning:
    """What must happen so that what runs is what the files say, as far as rules don't limit it.

    Args:
        before: What the stack runs from.
        after: What the files say now.
        rules: `develop.watch` of the services that have it.
        changed: Files below the paths of these rules that have changed, by service.
        lays_out: Whether a service that starts anew gets its files at once, as on the process
            engine; elsewhere its image is built.
    """
    acts, left = [], []
    for name, service in after.services.items():
        known = before.services.get(name)
        files = changed_files(known["files"], service["files"]) if known else []
        if known is None:
            acts.append(Act(name, "anew", ("new",)))
        elif known["digest"] != service["digest"]:
            told = differences(known, service)  # the files first
            acts.append(Act(name, "anew", (*files, *(told[1:] if files else told))))
        elif name not in rules:
            if files:
                acts.append(Act(name, "anew", tuple(files)))
        else:
            files = sorted({*files, *changed.get(name, ())})
            act = _by_rules(name, files, rules[name], lays_out=lays_out)
            acts += [act] if act else []
            left += [name] if files and not act else []
    removed = tuple(name for name in before.services if name not in after.services)
    return Meaning(tuple(acts), removed, tuple(left))


def changed_files(before: Digests | None, after: Digests | None) -> list[Path]:
    """Files that are new, gone or different; none where nobody looks at them."""
    if before is None or after is None:
        return []
    return [Path(path) for path in {**before, **after} if before.get(path) != after.get(path)]


def _by_rules(
    name: str, files: Sequence[Path], rules: Sequence[WatchRule], *, lays_out: bool
) -> Act | None:
    found = [(path, rule) for path in files for rule in [rule_of(path, rules)] if rule]
    actions = {rule.action for _, rule in found}
    why = tuple(path for path, _ in found)
    if "rebuild" in actions or (lays_out and "sync+restart" in actions):
        return Act(name, "anew", why)
    synced = tuple(
        Synced(path, target_of(path, rule)) for path, rule in found if rule.action != "restart"
    )
    if actions & {"restart", "sync+restart"}:
        return Act(name, "restart", why, synced)
    then = tuple(dict.fromkeys(id(rule) for _, rule in found if rule.action == "sync+exec"))
    hooks = tuple(rule for rule in rules if id(rule) in then)
    return Act(name, "sync", why, synced, hooks) if found else None


def rule_of(path: Path, rules: Sequence[WatchRule]) -> WatchRule | None:
    """The first rule that a file is meant by."""
    for rule in rules:
        if path == rule.path:
            return rule
        if path.is_relative_to(rule.path):
            inside = path.relative_to(rule.path).as_posix()
            is_included = not rule.include or fits(inside, rule.include)
            if is_included and not fits(inside, rule.ignore):
                return rule
    return None


def target_of(path: Path, rule: WatchRule) -> str:
    """Where a file lies in the service."""
    if path == rule.path:  # a file that is named, or one below a target that is a folder
        ends = rule.target.endswith("/")
        return posixpath.join(rule.target, path.name) if ends else rule.target
    return posixpath.join(rule.target, path.relative_to(rule.path).as_posix())
