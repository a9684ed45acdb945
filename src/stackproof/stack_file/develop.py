"""`develop.watch` of a service: what `up --watch` does when a file changes.

Source: the Compose Specification, "Develop"; Docker documentation, "Use Compose Watch".
"""

from __future__ import annotations

import posixpath
from pathlib import Path

from stackproof.stack_file.model import WatchAction, WatchRule
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field

ACTIONS: tuple[WatchAction, ...] = ("rebuild", "restart", "sync", "sync+restart", "sync+exec")

AS_SOMEBODY_ELSE = ("user", "privileged", "working_dir")
"""Keys of a command that let it run otherwise than its service."""


def read_watch(field: Field, base: Path) -> tuple[WatchRule, ...]:
    """The rules of `develop`, in the order in which they are tried.

    Args:
        field: The value of `develop`.
        base: What relative paths are resolved against.

    Raises:
        ConfigError: If a rule lacks what its action needs.
    """
    return tuple(_rule(item, base) for item in field.items("watch"))


def _rule(field: Field, base: Path) -> WatchRule:
    field.require(("action", "path"))
    action = field.child("action").one_of(ACTIONS)
    target = field.read("target", Field.text, "")
    if action.startswith("sync") and not target:
        field.fail(
            f"the action {action} needs the path that the files have in the service",
            remedy="add `target: /path/in/the/service`",
        )
    hook = field.below("exec")
    command = hook.read("command", Field.words, ())
    if action == "sync+exec" and not command:
        field.fail(
            "the action sync+exec needs a command", remedy="add `exec: {command: PROGRAM ARGUMENT}`"
        )
    found = {key: hook.get(key) for key in AS_SOMEBODY_ELSE}
    return WatchRule(
        action,
        host_path(field.child("path").text(), base),
        posixpath.join("/", target) if target else "",
        ignore=field.read("ignore", Field.texts, ()),
        include=field.read("include", Field.texts, ()),
        command=command,
        environment=hook.read("environment", Field.text_pairs, {}),
        refused=tuple(one.key for one in found.values() if one and one.value is not False),
    )
