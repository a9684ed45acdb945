"""A service as a process of this machine (host world): addresses, ports and paths are translated.

All that is translated is translated here and in `commands`; in a private world, and in a container,
everything stays as the files have it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from stackproof.plan.addressing.built_in import built_in_addresses
from stackproof.plan.addressing.environment_rules import translate_environment
from stackproof.plan.addressing.listening import tell_port
from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.translation import Translator, rules_of
from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft, local_command
from stackproof.plan.services.folders import folders_of
from stackproof.plan.services.notices import (
    ignored_by_processes,
    ignored_keys,
    replaced_check,
    unseen_mounts,
)
from stackproof.plan.services.ready import asked_by_process
from stackproof.plan.services.resolving import Resolved, Surroundings, service_plan
from stackproof.stack_file.regular_files import real_path


def translated_service(draft: Draft, around: Surroundings) -> Resolved:
    """A service as a process that sees this machine's addresses, ports and paths."""
    folders = folders_of(draft, around.run_folder, around.mounts.get(draft.name, ()))
    translator = Translator(around.addresses, draft.name, PathMap(folders.paths))
    environment = translate_environment(translator, draft.environment)
    translations = list(environment.translations)
    notices = [*draft.notices, *environment.notices]
    argv = _command(draft, translator, translations, notices)
    if draft.known is None:
        ports = around.addresses.ports[draft.name]
        told = tell_port(draft.name, argv, environment.values, ports, translations)
        translations += told[0]
        notices += told[1]
    asked = asked_by_process(draft, translator, environment.values, around.database)
    translations += asked.translations
    service = service_plan(
        draft, around, argv, environment.values, probe=asked.probe, folders=folders
    )
    notices += _built_in(draft, around, environment.values)
    notices += _of_replicas(draft, around)
    if draft.runtime is not None and draft.runtime.recipe is not None:
        notices.append(
            f"{draft.name}: what its image copies from stages of other languages is not built; "
            "that takes a private world"
        )
    notices += replaced_check(draft)
    notices += ignored_by_processes(draft, around.stack_file)
    notices += ignored_keys(around.stack_file, draft.name)
    notices += unseen_mounts(draft, folders, translations)
    return Resolved(service, tuple(translations), tuple(notices))


def _of_replicas(draft: Draft, around: Surroundings) -> list[str]:
    """One line about the name that several replicas have, where a name has one address."""
    name = draft.service.replica_of
    if not name or around.addresses.names.get(name.lower()) != draft.name:
        return []
    told = f"{name} leads to {draft.name} alone, and not to its other replicas; "
    return [f"{told}a private world or --engine compose leads to all"]


def _built_in(draft: Draft, around: Surroundings, environment: Mapping[str, str]) -> list[str]:
    """One line about the addresses that stand in its program."""
    build, image = draft.service.build, draft.image
    if draft.known is not None or draft.extension.own_environment:
        return []
    if build is not None and image is not None:
        sources = [real_path(build.context, "./" + copied.source) for copied in image.copied]
    else:
        sources = [draft.runtime.project] if draft.runtime and draft.runtime.project else []
    roots = [path for path in dict.fromkeys(sources) if path.exists()]
    names, ports = around.addresses.names, around.addresses.ports[draft.name]
    found = list(built_in_addresses(roots, draft.name, names, ports, environment))
    if not found:
        return []
    *others, last = found
    told = f"{', '.join(others)} and {last}" if others else last
    remedy = "read them from variables, or use `world: private`"
    return [f"{draft.name}: {told} can't be translated; {remedy}"]


def _command(
    draft: Draft, translator: Translator, translations: list[Translation], notices: list[str]
) -> tuple[str, ...]:
    """The command as this machine runs it; tells what was changed in it."""
    local = draft.argv if draft.known else local_command(draft.argv)
    done = translator.arguments(local)
    argv = tuple(part.text for part in done)
    changes = [("command", shlex.join(draft.argv), shlex.join(local), "command")]
    if len(argv) != len(local):
        changes.append(("command", shlex.join(local), shlex.join(argv), rules_of(done)))
    else:
        changes += [
            (f"command[{number}]", before, part.text, rules_of([part]))
            for number, (before, part) in enumerate(zip(local, done, strict=True))
        ]
    translations += [
        Translation(draft.name, place, before, after, rule)
        for place, before, after, rule in changes
        if before != after
    ]
    notices += [
        f"{draft.name}: its command names {host} without a port that is known; see `expose`"
        for host in (done[0].problems if done else ())
    ]
    return argv
