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
    foreign = [
        f"the {kind} {name}"
        for name, kind in names.items()
        if not all(_is_own(written, labels) for written in _found(client, kind, name))
    ]
    if foreign:
        raise Refused(
            f"Docker already has {', '.join(foreign)}, which this run did not make",
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
        yield from (network.get("Labels") or {} for network in found if network["Name"] == name)
        return
    try:
        yield client.api.inspect_volume(name).get("Labels") or {}
    except NotFound:
        return
