"""What a person should know of the mounts, and what becomes of copies that can't be had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath

from stackproof.errors import EngineUnavailable
from stackproof.plan.model import Plan
from stackproof.plan.mounts.model import PlannedMount


def notices_of(service: str, mounts: tuple[PlannedMount, ...]) -> Iterator[str]:
    """One line for each mount that is not as the stack file has it.

    Args:
        service: Name of the service.
        mounts: What was decided.
    """
    for mount in mounts:
        if mount.action == "fresh" and mount.is_data:
            yield (
                f"{service}: starts with an empty folder instead of {mount.label}: "
                "a second server on the same data would destroy it"
            )
        elif mount.action == "fresh" and mount.kind == "volume":
            yield f"{service}: starts with an empty folder instead of Docker volume {mount.label}"
        elif mount.action == "fresh":
            yield f"{service}: starts with an empty folder, because {mount.label} is missing"
        elif mount.action == "copy" and not mount.read_only and not mount.asked:
            yield (
                f"{service}: writes to a copy of {mount.label}, which `down` removes; "
                f"`mounts: {{{mount.written!r}: share}}` lets it write to the original"
            )


def unlike_copies(mounts: Mapping[str, tuple[PlannedMount, ...]]) -> Iterator[str]:
    """One line for each mount from inside a copied folder that shows what the copy does not have.

    Args:
        mounts: What was decided, by service; with containers each mount is one of its own.
    """
    copied = {
        mount.source: mount for many in mounts.values() for mount in many if mount.action == "copy"
    }
    for service, many in mounts.items():
        for mount in many:
            above = [copied[str(p)] for p in PurePath(mount.source).parents if str(p) in copied]
            if mount.kind == "bind" and mount.action in {"keep", "copy"} and above:
                yield (
                    f"{service}: {mount.label} does not show what is written to the copy of "
                    f"{above[0].written}, which it lies in"
                )


def without_copies(plan: Plan, refused: Mapping[str, str]) -> tuple[Plan, list[str]]:
    """The plan where some copies can't be had, and what that means, a line for each source.

    Args:
        plan: The plan.
        refused: Source to the reason why it can't be copied.

    Raises:
        EngineUnavailable: If a source may not be written to instead.
    """
    said: dict[str, None] = {}
    services = []
    for service in plan.services:
        mounts = []
        for mount in service.outside:
            if mount.action == "copy" and mount.source in refused:
                mounts.append(_instead(service.name, mount, refused[mount.source], said))
            else:
                mounts.append(mount)
        services.append(replace(service, outside=tuple(mounts)))
    return replace(plan, services=tuple(services)), list(said)


def _instead(service: str, mount: PlannedMount, why: str, said: dict[str, None]) -> PlannedMount:
    if mount.otherwise == "refuse":
        raise EngineUnavailable(
            f"{service} may not write to {mount.label}, and no copy of it can be made",
            checked=[f"{mount.source}: {why}"],
            remedy="mount it read-only (:ro), or allow it in the stack config by "
            f"`mounts: {{{mount.written!r}: share}}`",
        )
    if mount.otherwise == "read_only":
        said[f"{service}: {mount.label} is read-only, because it can't be copied: {why}"] = None
        return replace(mount, action="keep", read_only=True)
    said[f"{mount.label} is shared with the stack, because it can't be copied: {why}"] = None
    return replace(mount, action="share")


def described(mount: PlannedMount, why_no_copy: str = "") -> str:
    """Where a service's writes go, in words; empty where it can't write.

    Args:
        mount: The mount.
        why_no_copy: Why this machine makes no copies; empty where it does.
    """
    if mount.action == "share" or (
        mount.action == "copy" and why_no_copy and mount.otherwise == "share"
    ):
        return f"writes to {mount.source}: {mount.label}, shared"
    if mount.read_only or mount.action == "keep":
        return ""
    if mount.action == "copy":
        return f"writes to a copy of {mount.source}: {mount.label}"
    return f"writes to an empty folder of the run, not to {mount.source}: {mount.label}"
