"""Refuses routes that a Traefik would ask containers for: on the process engine there are none.

Source: the reference of Traefik's static configuration: options, `TRAEFIK_…` variables, files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from stackproof.plan.world.model import World
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.regular_files import read_text_file

OWN = "TRAEFIK_"
USUAL_FILES = tuple(f"/etc/traefik/traefik.{ending}" for ending in ("yml", "yaml", "toml"))

_PROVIDER = re.compile(
    r"providers[._](docker|swarm|ecs|nomad|kubernetes\w*?)(?:[._=]|$)", re.IGNORECASE
)
_IN_FILE = re.compile(
    r"^\s*(?:\[providers\.)?(docker|swarm|ecs|nomad|kubernetes\w*)\s*(?:\]|:)",
    re.IGNORECASE | re.MULTILINE,
)


def refuse_routes_of_containers(
    stack_file: StackFile,
    service: str,
    argv: Sequence[str],
    environment: Mapping[str, str],
    world: World,
) -> None:
    """Refuse a Traefik that takes its routes from Docker and the like.

    Args:
        stack_file: Where it stands.
        service: Its name.
        argv: Its command.
        environment: Its environment.
        world: What it sees.

    Raises:
        ConfigError: With the place that names such a provider.
    """
    words = " ".join(argv).split()
    variables = [f"{name}={value}" for name, value in environment.items() if name.startswith(OWN)]
    found = [("command", word, match) for word in words if (match := _asked(word))]
    found += [("environment", word, match) for word in variables if (match := _asked(word))]
    found += [("volumes", path, match) for path, match in _in_files(world, words)]
    for key, place, match in found:
        raise stack_file.refusal(
            f"services.{service}.{key}",
            f"{service} takes its routes from {match[1].lower()}, which a process can't ask",
            observed=place,
            remedy="write the routes to a file, mount it and name it by --providers.file.filename; "
            "or use --engine compose",
        )


def _asked(word: str) -> re.Match[str] | None:
    return None if word.lower().endswith("=false") else _PROVIDER.search(word)


def _in_files(world: World, words: Sequence[str]) -> Iterator[tuple[str, re.Match[str]]]:
    named = [word.partition("=")[2] for word in words if word.lower().startswith("--configfile=")]
    for path in (*named, *USUAL_FILES):
        source = world.source_of(path)
        if source is not None and source.is_file():
            match = _IN_FILE.search(read_text_file(source, errors="replace"))
            if match:
                yield path, match
