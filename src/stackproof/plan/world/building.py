"""Makes the private world of each service of a plan, from the stack file and its Dockerfile."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stackproof.plan.mounts.model import PlannedMount
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.folders import Folders
from stackproof.plan.world.accounts import Accounts, accounts_of
from stackproof.plan.world.files import Files
from stackproof.plan.world.kernel import capabilities_of, limits_of, settings_of
from stackproof.plan.world.model import ROOT, Account, Interface, World
from stackproof.plan.world.networks import hosts_of
from stackproof.stack_file.model import Build, Service, StackFile

LONGEST_HOSTNAME = 64
"""Letters that the kernel takes."""


@dataclass(frozen=True)
class Built:
    """The world of a service, and what a person should know about it."""

    world: World
    notices: tuple[str, ...] = ()


def build_world(
    draft: Draft,
    folders: Folders,
    outside: Sequence[PlannedMount],
    interfaces: Mapping[str, tuple[Interface, ...]],
    hidden: Callable[[Build], Sequence[str]],
) -> Built:
    """What a service sees.

    Args:
        draft: The service.
        folders: Where its volumes and mounts are on this machine.
        outside: Its mounts from outside the run.
        interfaces: The networks of all services.
        hidden: The paths of a build context that its builder does not get.
    """
    service, image = draft.service, draft.image
    accounts = accounts_of(image)
    user, notices = _user(draft, accounts)
    own = interfaces[draft.name]
    workdir = posixpath.join(image.workdir if image else "/", service.working_dir or "")
    if image is None and not service.working_dir and draft.runtime and draft.runtime.project:
        workdir = str(draft.runtime.project)
    world = World(
        hostname=(service.hostname or draft.name)[:LONGEST_HOSTNAME],
        interfaces=own,
        hosts=hosts_of(service, interfaces, next((i.gateway for i in own if i.gateway), "")),
        layers=Files(draft, folders, outside, accounts, hidden).layers(),
        user=user,
        working_dir=posixpath.normpath(workdir),
        read_only=service.read_only,
        shm_size=service.shm_size,
        joins=joined(service.network_mode),
        init=service.init,
        limits=limits_of(service),
        settings=settings_of(service),
        capabilities=capabilities_of(service),
    )
    return Built(world, tuple(notices))


def joined(network_mode: str | None) -> str:
    """The service whose network a service shares; empty for its own."""
    mode = network_mode or ""
    return mode.removeprefix("service:") if mode.startswith("service:") else ""


def _user(draft: Draft, accounts: Accounts) -> tuple[Account, list[str]]:
    """The user; what stackproof itself runs belongs to whoever runs stackproof."""
    if draft.extension.own_environment and not draft.service.user:
        return ROOT, []
    has_files = draft.known is None or draft.known.has_files
    written = draft.service.user or (draft.image.user if draft.image and has_files else "")
    user, is_certain = accounts.account(written)
    if is_certain:
        return user, []
    told = (
        f"{draft.name}: the numbers of its user {written} are in its image alone; it runs as "
        f"{user.uid}:{user.gid} (write `user: UID:GID` to choose others)"
    )
    return user, [told]


def refuse_no_world(stack_file: StackFile, service: Service) -> None:
    """Refuse a service that can't have a private world.

    Args:
        stack_file: Where it stands.
        service: The service.

    Raises:
        ConfigError: If it shares this machine's network.
    """
    if shares_host_network(service):
        raise stack_file.refusal(
            f"services.{service.name}.network_mode",
            f"{service.name} can't have a private world",
            observed="it shares this machine's network (`network_mode: host`)",
            remedy="remove it, since services of a stack reach each other by name; or write "
            "`world: host` in the stack config",
        )


def shares_host_network(service: Service) -> bool:
    """Whether a service has no network of its own, but this machine's."""
    return service.network_mode == "host"
