"""A service in a private world: it gets its command, environment and files as its container would.

Nothing is translated. It is asked from this machine whether it is ready, through a port that leads
to it, or by a command inside.
"""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import replace

from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.translation import Translator
from stackproof.plan.builds.model import SYSTEM_PATH
from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft, local_command
from stackproof.plan.services.folders import Folders, folders_of
from stackproof.plan.services.notices import ignored_in_rooms, ignored_keys, replaced_check
from stackproof.plan.services.ready import asked_of_room
from stackproof.plan.services.resolving import Resolved, Surroundings, reach_of, service_plan
from stackproof.plan.services.routes import refuse_routes_of_containers
from stackproof.plan.world.building import build_world, refuse_no_world
from stackproof.plan.world.model import World


def private_service(draft: Draft, around: Surroundings) -> Resolved:
    """A service that sees what its container would."""
    refuse_no_world(around.stack_file, draft.service)
    outside = around.mounts.get(draft.name, ())
    folders = folders_of(draft, around.run_folder, outside)
    built = build_world(draft, folders, outside, around.interfaces, around.hidden)
    if draft.known is not None and draft.known.name == "traefik":
        refuse_routes_of_containers(
            around.stack_file, draft.name, draft.argv, draft.environment, built.world
        )
    translator = Translator(around.addresses, draft.name, PathMap({}))
    argv = _command(draft, built.world)
    service = service_plan(
        draft,
        around,
        argv,
        dict(draft.environment),
        probe=asked_of_room(draft, translator, around.database),
        folders=_on_disk(folders),
    )
    notices = [*draft.notices, *built.notices, *replaced_check(draft)]
    notices += ignored_in_rooms(draft)
    notices += ignored_keys(around.stack_file, draft.name, is_private=True)
    return Resolved(
        replace(service, world=built.world, working_dir=None, joins=(), reach=reach_of(draft)),
        tuple(_told(draft, argv)),
        tuple(notices),
    )


def _on_disk(folders: Folders) -> Folders:
    """The folders without those in memory, which each service has in its own file system."""
    created = {
        path: target for path, target in folders.created.items() if target not in folders.in_memory
    }
    return replace(folders, created=created, sizes={})


def _command(draft: Draft, world: World) -> tuple[str, ...]:
    """The command, without init wrappers and programs that only the image has."""
    is_there = bool(draft.argv) and world.source_of(draft.argv[0]) is not None
    is_kept = draft.known is not None or is_there or _is_built_at(draft)
    return draft.argv if is_kept else local_command(draft.argv)


def _is_built_at(draft: Draft) -> bool:
    """Whether its program is what its own build has made, in a folder that PATH does not have."""
    if draft.runtime is None or draft.runtime.kind != "build" or not draft.argv:
        return False
    folder = posixpath.dirname(draft.argv[0])
    return folder not in {"", *draft.environment.get("PATH", SYSTEM_PATH).split(":")}


def _told(draft: Draft, argv: tuple[str, ...]) -> list[Translation]:
    if argv == draft.argv:
        return []
    before, after = shlex.join(draft.argv), shlex.join(argv)
    return [Translation(draft.name, "command", before, after, "command")]
