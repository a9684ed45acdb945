"""The mounts of all services of a plan that are not the run's own, and what to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stackproof.errors import ConfigError
from stackproof.plan.mounts.data_paths import DataPaths, data_paths
from stackproof.plan.mounts.deciding import Project, decide_mounts
from stackproof.plan.mounts.joining import reaching_out, refuse_joins, replaced_joins
from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.mounts.settling import notices_of, unlike_copies
from stackproof.plan.mounts.sources import look_at
from stackproof.plan.services.drafts import Draft, read_image
from stackproof.settings.model import Settings
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.mounts import host_path

OWN_FOLDERS = ("GATEWAY_CASSETTES", "GATEWAY_LEDGER_FOLDER")
"""Variables that stackproof names folders of its own in, for the gateway to write to."""

PlannedMounts = Mapping[str, tuple[PlannedMount, ...]]
"""Name of a service to its mounts."""


def plan_mounts(
    settings: Settings, stack_file: StackFile, drafts: Sequence[Draft], engine: str
) -> PlannedMounts:
    """What becomes of the mounts that are not the run's own.

    Args:
        settings: The settings.
        stack_file: The stack file.
        drafts: The services.
        engine: `process` or `compose`.

    Raises:
        ConfigError: If a mount is refused, or a service would join what is not the run's own.
    """
    for draft in drafts:
        refuse_joins(stack_file, draft.service, engine)
    servers = {draft.name: _data_paths(stack_file, draft) for draft in drafts}
    named = [settings.variables.get(name, "") for name in OWN_FOLDERS]
    own = frozenset(
        str(host_path(path, stack_file.project_directory))
        for path in named
        if path.startswith((".", "/", "~"))
    )
    return decide_mounts(stack_file, servers, Project(settings, engine, own, look_at))


def _data_paths(stack_file: StackFile, draft: Draft) -> DataPaths | None:
    try:
        image = draft.image or read_image(stack_file, draft.service)
    except ConfigError:
        image = None  # Docker Compose says what is wrong with it
    names = (draft.service.image, image.base if image else None)
    environment = {**(image.environment if image else {}), **draft.environment}
    return data_paths([name for name in names if name], environment, draft.argv or ())


def mount_notices(
    stack_file: StackFile, drafts: Sequence[Draft], mounts: PlannedMounts, engine: str
) -> Iterator[str]:
    """What a person should know of mounts, networks and namespaces, a line for each."""
    for draft in drafts:
        yield from notices_of(draft.name, mounts[draft.name])
        yield from replaced_joins(stack_file, draft.service)
        if engine == "compose":
            yield from reaching_out(stack_file, draft.service)
    if engine == "compose":
        yield from unlike_copies(mounts)
