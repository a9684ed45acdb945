"""Volumes and networks under the names of a run: its own, or somebody's, which is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docker import DockerClient
from docker.errors import NotFound

from stackproof.engines.compose.labels import OWNER, PROJECT, ROOT
from stackproof.errors import Refused


def refuse_others(
    client: DockerClient, names: Mapping[str, str], labels: Mapping[str, str]
) -> None:
    """Refuse to go on where something that the run would make is there and not its own.

    Args:
        client: The Docker Engine.
        names: Name in Docker to `volume` or `network`.
        labels: What this run marks its own with.

    Raises:
        Refused: With the names of all of them.
    """
    foreign = [f"the {kind} {name}" for name, kind in names.items()
               if not all(_is_own(one, labels) for one in _found(client, kind, name))]  # fmt: skip
    if foreign:
        raise Refused(
            f"Docker has {', '.join(foreign)} already, and this run has not made it",
            observed="the labels dev.stackproof.project, .owner and .root are not those of this "
            "copy, user and state folder",
            remedy="give this copy another name (STACKPROOF_PROJECT); if nobody needs it, remove "
            f"it: `docker {foreign[0].removeprefix('the ').replace(' ', ' rm ', 1)}`",
        )


def _is_own(labels: Mapping[str, str], own: Mapping[str, str]) -> bool:
    return all(labels.get(key) == own[key] for key in (PROJECT, OWNER, ROOT))


def _found(client: DockerClient, kind: str, name: str) -> Iterator[Mapping[str, str]]:
    if kind == "network":
        found: list[dict[str, Any]] = client.api.networks(names=[name])
        yield from (one.get("Labels") or {} for one in found if one["Name"] == name)
        return
    try:
        yield client.api.inspect_volume(name).get("Labels") or {}
    except NotFound:
        return
