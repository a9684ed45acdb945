"""Which extensions a stack creates in its PostgreSQL: not every server of a machine has them.

Sources: the start-up files, migrations and programs of all services, read as text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from stackproof.stack_file.model import StackFile
from stackproof.stack_file.regular_files import read_text_file

SUFFIXES = frozenset({".sql", ".sh", ".py", ".js", ".mjs", ".ts", ".rb", ".go", ".prisma", ".php",
                      ".java", ".kt", ".xml", ".ex", ".exs"})  # fmt: skip
SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "vendor", "dist"})
MOST_FILES = 1000
LARGEST_FILE = 256 * 1024

_WORD = "extension"
"""What every form has in it: nearly all files are told apart by that alone."""

_NAME = r"[\\\"'`]{0,3}(?P<name>[a-z][a-z0-9_-]{1,40})\b"
_CREATED = re.compile(
    rf"(?:create\s{{1,9}}extension(?:\s{{1,9}}if\s{{1,9}}not\s{{1,9}}exists)?\s{{1,9}}"
    rf"|\benable_extension[\s(]{{1,3}}|\bCreateExtension\(\s{{0,9}}){_NAME}",
    re.IGNORECASE,
)
_CLASS = re.compile(
    r"\b(Bloom|BtreeGin|BtreeGist|CIText|Crypto|HStore|Trigram|Unaccent)Extension\b"
)
_CLASSES = {"BtreeGin": "btree_gin", "BtreeGist": "btree_gist", "Crypto": "pgcrypto",
            "Trigram": "pg_trgm"}  # fmt: skip
"""What Django's operations create, where it is not their name in lower case."""

_LIST = re.compile(r"^\s{0,8}extensions\s{0,8}=\s{0,8}\[([^\]]{1,400})\]", re.MULTILINE)
_LISTED = re.compile(r"(\w{1,40})(\([^()]{0,200}\))?")
_MAPPED = re.compile(r'\bmap:\s{0,9}"([^"]{1,40})"')
"""Prisma's names for what is no identifier: `uuidOssp(map: "uuid-ossp")`."""


def database_extensions(stack_file: StackFile) -> tuple[str, ...]:
    """The names of all extensions that the services of a stack create, sorted.

    Args:
        stack_file: The stack file.
    """
    roots = {
        Path(mount.source)
        for service in stack_file.services.values()
        for mount in service.mounts
        if mount.kind == "bind" and mount.source
    }
    for service in stack_file.services.values():
        if service.build is not None:
            roots.add(service.build.context)
    return tuple(sorted({name for root in sorted(roots) for name in _in_root(root)}))


def extensions_in(text: str) -> Iterator[str]:
    """Names of extensions that a file creates.

    Args:
        text: SQL, a migration, or a program that has SQL in it.
    """
    if _WORD not in text.lower():
        return
    for created in _CREATED.finditer(text):
        yield created["name"].lower()
    for operation in _CLASS.finditer(text):
        yield _CLASSES.get(operation[1], operation[1].lower())
    for listed in _LIST.finditer(text):
        for name, about in _LISTED.findall(listed[1]):
            mapped = _MAPPED.search(about)
            yield mapped[1] if mapped else name


def _in_root(root: Path) -> Iterator[str]:
    count = 0
    for path in _files(root):
        count += 1
        if count > MOST_FILES:
            return
        try:
            yield from _in_file(path, path.stat().st_mtime_ns)
        except OSError:
            continue


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name not in SKIPPED and not name.startswith(".")
        )
        for name in sorted(files):
            if os.path.splitext(name)[1] in SUFFIXES:  # noqa: PTH122 - a Path a file takes longer
                yield Path(folder, name)


@lru_cache(maxsize=4096)
def _in_file(path: Path, changed: int) -> tuple[str, ...]:  # noqa: ARG001 - part of the key
    text = read_text_file(path, LARGEST_FILE, errors="replace")
    return tuple(dict.fromkeys(extensions_in(text)))
