"""The folder and the virtualenv of each pack, made by uv once for each content."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
import os
import shutil
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import uv
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from automation.database import patiently
from automation.models import Pack
from automation.packs import check_names
from automation.settings import settings

log = logging.getLogger(__name__)

VENDORED = "wheels"
"""Folder of a pack that has all its dependencies as wheels; no index is asked then."""
ERROR_LINES = 3

_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


class EnvironmentFailedError(Exception):
    """The dependencies of a pack can't be installed."""


@dataclass(frozen=True)
class Environment:
    """Where a pack's programs are, and what runs them.

    Attributes:
        folder: The files of the pack.
        python: The interpreter of its virtualenv.
    """

    folder: Path
    python: Path


async def environment_of(pack_ref: str) -> Environment:
    """The environment of a pack as it is registered now.

    Raises:
        EnvironmentFailedError: If its dependencies can't be installed.
    """
    pack = await patiently(_registered, pack_ref)
    root = settings().virtualenvs

    async def unpack(into: Path) -> None:
        with zipfile.ZipFile(io.BytesIO(pack.content)) as archive:
            check_names(archive)
            archive.extractall(into)

    folder = await _once(root / "packs" / pack.digest, unpack)

    async def install(into: Path) -> None:
        await _install(into, pack, folder / VENDORED)

    virtualenv = await _once(root / "environments" / _key(pack, folder / VENDORED), install)
    return Environment(folder, virtualenv / "bin" / "python")


async def _registered(session: AsyncSession, pack_ref: str) -> Pack:
    found = select(Pack).options(undefer(Pack.content)).where(Pack.ref == pack_ref)
    return (await session.scalars(found)).one()


def _key(pack: Pack, vendored: Path) -> str:
    wheels = {path.name: _digest(path) for path in sorted(vendored.glob("*.whl"))}
    made_of = [sys.version, sys.prefix, sorted(pack.dependencies), wheels]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def _once(path: Path, make: Callable[[Path], Awaitable[None]]) -> Path:
    """Make a folder unless it is there; nobody ever sees a part of it."""
    async with _locks[str(path)]:
        if path.exists():  # noqa: ASYNC240 - a look at a local folder takes no time
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=".making-"))
        try:
            await make(unfinished)
            unfinished.rename(path)  # noqa: ASYNC240 - same
        except OSError:
            # A worker that shares the folder was quicker.
            if not path.exists():  # noqa: ASYNC240 - same
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return path


async def _install(into: Path, pack: Pack, vendored: Path) -> None:
    await _uv(
        "venv",
        "--quiet",
        "--allow-existing",
        "--relocatable",
        "--python",
        sys.executable,
        str(into),
    )
    is_vendored = vendored.is_dir()  # noqa: ASYNC240 - a look at a local folder takes no time
    if pack.dependencies:
        source = ["--no-index", "--find-links", str(vendored)] if is_vendored else []
        python = str(into / "bin" / "python")
        await _uv(
            "pip", "install", "--quiet", "--python", python, *source, "--", *pack.dependencies
        )
    log.info("pack %s: virtualenv %s", pack.ref, into.parent.name)


async def _uv(*arguments: str) -> None:
    cache = settings().virtualenvs / "cache"
    running = await asyncio.create_subprocess_exec(
        uv.find_uv_bin(),
        *arguments,
        env={**os.environ, "UV_CACHE_DIR": str(cache), "UV_LINK_MODE": "copy"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await running.communicate()
    if running.returncode != 0:
        lines = told.decode(errors="replace").strip().splitlines()
        raise EnvironmentFailedError(" ".join(line.strip() for line in lines[-ERROR_LINES:]))
