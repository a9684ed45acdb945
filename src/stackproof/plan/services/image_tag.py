"""The image that a build makes, named by content, so that an unchanged tree builds nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from stackproof.plan.services.dockerignore import context_files
from stackproof.stack_file.model import Build, Service
from stackproof.stack_file.regular_files import read_file

FORMAT = "1"
"""Part of every tag; changes when images are built in another way."""

DIGITS = 20


def image_of(stack: str, service: Service) -> str:
    """The image that a service runs.

    Args:
        stack: Name of the stack.
        service: The service as the stack file has it.

    Returns:
        The reference that is written there, or for a build `stackproof/<stack>:<digest>`, where the
        digest covers the Dockerfile, its arguments, and each file of the context that
        `.dockerignore` does not leave out. Services that build the same share one image.
    """
    if service.build is None:
        return service.image or ""
    digest = hashlib.sha256()
    for part in _parts(service.build, service.platform or ""):
        digest.update(part)
        digest.update(b"\0")
    return f"stackproof/{stack}:{digest.hexdigest()[:DIGITS]}"


def _parts(build: Build, platform: str) -> Iterator[bytes]:
    written = [FORMAT, build.target, dict(sorted(build.args.items())), platform, build.dockerfile]
    yield json.dumps(written).encode()
    if build.dockerfile_inline is not None:
        yield build.dockerfile_inline.encode()
    else:
        yield _written(build.context / build.dockerfile)
    for name in context_files(build):
        path = build.context / name
        if path.is_symlink():
            yield f"{name} -> {path.readlink()}".encode()
        elif path.is_file():
            mode = "x" if path.stat().st_mode & 0o100 else "-"
            yield f"{name} {mode}".encode()
            yield hashlib.sha256(_bytes(path)).digest()


def _written(path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError:  # Docker says what is wrong with it
        return b""


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
