"""What decides about a COPY: a digest of all files that it would copy."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from stackproof.engines.process.builds.copying import below, places

BLOCK = 1 << 20


def context_digest(context: Path, sources: Sequence[str], left_out: frozenset[str]) -> str:
    """A digest of files in a build context: their names, rights and content.

    Args:
        context: The build context.
        sources: Paths in there; may be patterns.
        left_out: Paths that the builder does not get.
    """
    digest = hashlib.sha256()
    for source in sources:
        for path in places(str(context), source):
            if path not in left_out:
                _add_tree(digest, os.path.realpath(context / path), path, left_out)
    return digest.hexdigest()


def _add_tree(digest: hashlib._Hash, real: str, path: str, left_out: frozenset[str]) -> None:
    _add(digest, real, path)
    if os.path.isdir(real):
        for name in below(real, path, left_out):
            _add(digest, os.path.join(real, name), os.path.join(path, name))


def _add(digest: hashlib._Hash, real: str, name: str) -> None:
    about = os.lstat(real)
    digest.update(f"\0{name}\0{about.st_mode:o}\0".encode(errors="surrogateescape"))
    if stat.S_ISLNK(about.st_mode):
        digest.update(os.readlink(real).encode(errors="surrogateescape"))
    elif stat.S_ISREG(about.st_mode):
        with open(real, "rb") as file:
            while data := file.read(BLOCK):
                digest.update(data)
