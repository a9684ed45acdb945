"""Where files lie whose change may mean something for a stack."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from stackproof.lifecycle.watching.meaning import Digests
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.service_files import (
    files_below,
    folders_below,
    is_written,
    source_folders,
)
from stackproof.stack_file.model import WatchRule

Rules = Mapping[str, tuple[WatchRule, ...]]

BY_EDITORS = ("~", ".swp", ".swx", ".tmp", "4913")
"""Endings of files that editors make while they save."""


def rules_of(resolved: ResolvedStack) -> Rules:
    """`develop.watch` of the services that have it."""
    services = resolved.stack_file.services
    names = (service.name for service in resolved.plan.services if service.name in services)
    return {name: services[name].watch for name in names if services[name].watch}


def refuse_unsupported(resolved: ResolvedStack) -> None:
    """Refuse rules that can't be followed.

    Raises:
        ConfigError: If a command is to run otherwise than its service.
    """
    for rule in chain.from_iterable(rules_of(resolved).values()):
        for key in rule.refused:
            raise resolved.stack_file.refusal(
                key,
                "a command after a sync runs as its service does",
                observed=f"`{key.rpartition('.')[2]}` asks for something else",
                remedy="remove it, and do what it is for in the command",
            )


def watched_folders(resolved: ResolvedStack) -> frozenset[Path]:
    """The folders of all sources, of the stack file and of the stack config."""
    settings, file = resolved.settings, resolved.stack_file
    of_files = [settings.config_file, *settings.compose_files, *file.sources]
    found = {settings.root, *(path.parent for path in of_files)}
    for service in resolved.plan.services:
        found |= source_folders(service, file)
    for rule in chain.from_iterable(rules_of(resolved).values()):
        found.update(folders_below(rule.path))
    return frozenset(found)


def files_of_rules(rules: Rules) -> dict[str, Digests]:
    """The files that rules are about, by service."""
    below: dict[Path, Digests] = {}
    found: dict[str, Digests] = {}
    for name, own in rules.items():
        digests: dict[str, str] = {}
        for rule in own:
            if rule.path not in below:
                below[rule.path] = files_below(rule.path)
            digests.update(below[rule.path])
        found[name] = digests
    return found


def may_matter(path: Path) -> bool:
    """Whether a file is none that a service or an editor writes beside the sources."""
    return not (is_written(path.name) or path.name.endswith(BY_EDITORS))
