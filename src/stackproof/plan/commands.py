"""The migrate and seed commands as the engine runs them: as the service's own command is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.translation import Translator
from stackproof.plan.model import PlannedCommand, Translation
from stackproof.plan.services.folders import folders_of
from stackproof.plan.services.resolving import Surroundings
from stackproof.settings.model import Command


def plan_commands(
    verb: str, commands: Sequence[Command], around: Surroundings
) -> tuple[tuple[PlannedCommand, ...], tuple[Translation, ...]]:
    """The commands of a verb, and what was translated in them.

    Args:
        verb: `migrate` or `seed`.
        commands: As the settings have them; those of services that are off are left as written.
        around: The plan's surroundings.
    """
    if not around.is_translated:
        return tuple(PlannedCommand(command.service, command.command) for command in commands), ()
    planned = [_planned(verb, command, around) for command in commands]
    told = chain.from_iterable(translations for _, translations in planned)
    return tuple(command for command, _ in planned), tuple(told)


def _planned(
    verb: str, command: Command, around: Surroundings
) -> tuple[PlannedCommand, list[Translation]]:
    draft = next((draft for draft in around.drafts if draft.name == command.service), None)
    if draft is None:
        return PlannedCommand(command.service, command.command), []
    mounts = around.mounts.get(draft.name, ())
    paths = PathMap(folders_of(draft, around.run_folder, mounts).paths)
    translator = Translator(around.addresses, draft.name, paths)
    translated = translator.arguments(command.command)
    argv = tuple(part.text for part in translated)
    return PlannedCommand(draft.name, argv), list(_told(verb, command, argv, draft.name))


def _told(verb: str, command: Command, argv: Sequence[str], service: str) -> Iterator[Translation]:
    for number, (before, after) in enumerate(zip(command.command, argv, strict=False)):
        if before != after:
            yield Translation(service, f"{verb}[{number}]", before, after, "command")
