"""Names of peers, and own ports, that stand in source files: in the host world they are wrong.

No text of a program is translated, so that a program with `Redis(host="redis")` finds nobody there.
Only what is surely an address is told: a quoted word in the place of a host, a name with a port,
the host of a URL, a port that is listened on; not a default that a variable replaces.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from stackproof.plan.addressing.addresses import LOOPBACK
from stackproof.stack_file.regular_files import read_text_file

SUFFIXES = frozenset({".py", ".js", ".mjs", ".ts", ".conf", ".yaml", ".yml", ".toml", ".go", ".rb",
                      ".php"})  # fmt: skip
CONFIGURATION = frozenset({".conf", ".yaml", ".yml", ".toml"})
"""Files in which words need no quotes."""

MOST_FILES = 500
LARGEST_FILE = 256 * 1024
LONGEST_LINE = 500
MOST_TOLD = 5

_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "vendor", "dist", "build", "tests",
                      "test", "docs", "migrations"})  # fmt: skip
_WORD = r"(?P<host>[A-Za-z0-9][\w.-]{0,80})"
_QUOTE = r"[\"'`]"
_ADDRESSES = (
    re.compile(rf"[a-z][a-z0-9+]{{1,20}}://(?:[^\s/@\"'`]{{0,100}}@)?{_WORD}(?=[:/\"'`\s;?]|$)"),
    re.compile(rf"{_QUOTE}{_WORD}:\d{{2,5}}{_QUOTE}"),
    re.compile(
        rf"\b\w{{0,30}}(?:host|HOST|Host|hostname|server|addr)\b{_QUOTE}?\s?[=:]\s?{_QUOTE}{_WORD}{_QUOTE}"
    ),
)
_BARE = (
    re.compile(rf"^\s*server\s{{1,8}}{_WORD}(?::\d{{1,5}})?[\s;]"),
    re.compile(rf"\b(?:host|hostname|server)\s?[:=]\s?{_WORD}\s*$"),
)
_PORT = re.compile(
    r"(?:\bport\s?[=:]\s?|\blisten(?:_and_serve|AndServe)?\(\s?[\"'`]?:?|^\s*listen\s{1,8})(?P<port>\d{2,5})\b",
    re.IGNORECASE,
)
_NAMES = re.compile(r"[A-Z][A-Z0-9_]{2,60}")


def built_in_addresses(
    roots: Collection[Path],
    service: str,
    names: Mapping[str, str],
    ports: Mapping[int, int],
    environment: Mapping[str, str],
) -> Iterator[str]:
    """What stands in source files and can't be translated, with its place, a text each.

    Args:
        roots: The files and folders of a service's program.
        service: Its name.
        names: Names of all services, in lower case, to the service of each.
        ports: Its container ports, with those of this machine.
        environment: Its variables; a line that names one of them reads it.
    """
    wanted = frozenset(names) - LOOPBACK
    moved = {f"port {target}" for target, port in ports.items() if target != port}
    told: dict[str, None] = {}
    for path, shown in _files(roots):
        try:
            about = path.stat()
            found = _found(path, about.st_mtime_ns, wanted)
        except OSError:
            continue
        for number, what, variables in found:
            is_foreign = what in moved or names.get(what.lower(), service) != service
            if is_foreign and not variables & environment.keys():
                told[f"`{what}` at {shown}:{number}"] = None
    yield from list(told)[:MOST_TOLD]
    if len(told) > MOST_TOLD:
        yield f"and {len(told) - MOST_TOLD} more places"


@lru_cache(maxsize=4096)
def _found(
    path: Path,
    changed: int,  # noqa: ARG001 - part of the key
    names: frozenset[str],
) -> tuple[tuple[int, str, frozenset[str]], ...]:
    text = read_text_file(path, LARGEST_FILE, errors="replace")
    return tuple(addresses_in(text, path.suffix, names))


def addresses_in(
    text: str, suffix: str, names: Collection[str]
) -> Iterator[tuple[int, str, frozenset[str]]]:
    """Lines with the name of a service, or a port: number, what was found, variables on it.

    Args:
        text: A source file.
        suffix: That of its name.
        names: Names of services, in lower case.
    """
    comment = ("#", "//", "*", "/*", "--")
    patterns = (*_ADDRESSES, *(_BARE if suffix in CONFIGURATION else ()))
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST_LINE or line.lstrip().startswith(comment):
            continue
        hosts = (match["host"] for pattern in patterns for match in pattern.finditer(line))
        found = [host for host in hosts if host.lower() in names]
        found += [f"port {m['port']}" for m in _PORT.finditer(line)]
        if found:
            variables = frozenset(_NAMES.findall(line))
            yield from ((number, what, variables) for what in dict.fromkeys(found))


def _files(roots: Collection[Path]) -> Iterator[tuple[Path, str]]:
    """The text files of a program, with how each is shown."""
    count = 0
    for root in roots:
        if root.is_file():
            if root.suffix in SUFFIXES:
                yield root, root.name
            continue
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(
                name for name in folders if name not in _SKIPPED and not name.startswith(".")
            )
            for name in sorted(files):
                path = Path(folder, name)
                is_stack_file = name.startswith(("compose", "docker-compose"))
                if path.suffix not in SUFFIXES or is_stack_file or name.startswith("."):
                    continue
                count += 1
                if count > MOST_FILES:
                    return
                yield path, str(path.relative_to(root))
