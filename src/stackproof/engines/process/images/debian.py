"""Debian's packages as a source of programs, without root: a list of packages becomes a folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key, server_cache
from stackproof.engines.process.images.model import Runner, Step
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.stack_file.regular_files import read_text_file

SYSTEM_LISTS = Path("/var/lib/apt/lists")
INSTALLED = Path("/var/lib/dpkg/status")
TOOLS = ("apt-get", "dpkg")
SECONDS = 300.0
"""How long apt may take; it fetches the lists of packages where the machine has none."""

_INSTALL = re.compile(r"^Inst (\S+) \((\S+) ", re.MULTILINE)

_UNPACK = (
    'set -e; cd "$1"; for package in debs/*.deb; do dpkg -x "$package" root; done; rm -r debs; '
    # Nobody is to get the rights of whoever unpacks them.
    'find root -type f -perm /6000 -exec chmod ug-s {} +; chmod -R go+rX "$1"'
)


@dataclass(frozen=True)
class Packages:
    """Packages with all that they need beside what is installed.

    Attributes:
        name: The package that was asked for first.
        versions: Each package and its version.
        options: How apt is told where its lists are.
    """

    name: str
    versions: Mapping[str, str]
    options: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The version of the package that was asked for, without epoch and revision."""
        return re.sub(r"^\d+:|-[^-]*$", "", self.versions.get(self.name, ""))

    def folder(self, cache: Path) -> Path:
        """Where they are unpacked, or would be.

        Args:
            cache: The configured cache folder.
        """
        key = content_key(sorted(self.versions.items()))
        return server_cache(cache) / "debian" / f"{self.name}-{self.version}-{key}"


def find_packages(wanted: Sequence[str], cache: Path) -> Packages | None:
    """What apt would install for some packages; None where that is nothing.

    Args:
        wanted: Names of packages.
        cache: The configured cache folder.
    """
    found = missing_packages(wanted, cache)
    return found if found and found.versions else None


def missing_packages(wanted: Sequence[str], cache: Path) -> Packages | None:
    """What apt would install for some packages; None where there is no apt or no such package.

    apt's lists are the machine's. A machine without lists, such as a slim container, gets lists in
    the cache, which any user can fetch.

    Args:
        wanted: Names of packages.
        cache: The configured cache folder.
    """
    if not all(map(shutil.which, TOOLS)) or not INSTALLED.exists():
        return None
    try:
        options = () if any(_lists()) else _own_lists(cache)
        stamp = [INSTALLED.stat().st_mtime_ns, *sorted(_lists()), *options]
        answers = server_cache(cache) / "debian" / f"answer-{content_key(list(wanted), stamp)}"
        cached_folder(answers, partial(_write_answer, wanted, options))
        found = _INSTALL.findall(read_text_file(answers / "answer"))
    except (OSError, subprocess.SubprocessError):
        return None
    return Packages(wanted[0], dict(found), options)


def unpack(packages: Packages, cache: Path, runner: Runner) -> Path:
    """The folder that the packages are unpacked in; made once for all runs.

    Args:
        packages: What to unpack.
        cache: The configured cache folder.
        runner: Runs a preparation.

    Raises:
        EngineUnavailable: If they can't be fetched.
    """
    return cached_folder(packages.folder(cache), partial(_fill, packages, runner)) / "root"


def _fill(packages: Packages, runner: Runner, draft: Path) -> None:
    count, debs = len(packages.versions), draft / "debs"
    debs.mkdir()
    names = [f"{name}={version}" for name, version in packages.versions.items()]
    fetch = Step(
        f"{packages.name}, fetching {count} of Debian's packages",
        ("apt-get", "-q", *_as_ourselves(packages.options), "download", *names),
        cwd=debs,
    )
    unpacking = Step(
        f"{packages.name}, unpacking {count} packages",
        ("/bin/sh", "-c", _UNPACK, "sh", str(draft)),
        cwd=draft,
    )
    try:
        runner(fetch)
        runner(unpacking)
    except CommandFailed as error:
        raise EngineUnavailable(
            f"Debian's packages of {packages.name} could not be unpacked into the cache",
            checked=error.output.splitlines()[-5:],
            remedy="check the network; `apt-get update` (as root) renews lists that are too old; "
            f"or install {packages.name} yourself",
        ) from error


def _lists() -> Iterator[str]:
    """The machine's lists of packages, each with the time of its last change."""
    if SYSTEM_LISTS.is_dir():
        for path in SYSTEM_LISTS.glob("*_Packages*"):
            yield f"{path.name} {path.stat().st_mtime_ns}"


def _own_lists(cache: Path) -> tuple[str, ...]:
    """Lists in the cache; fetched once."""
    folder = server_cache(cache) / "debian" / "lists"
    cached_folder(folder, _fetch_lists)
    return _options(folder)


def _options(folder: Path) -> tuple[str, ...]:
    return ("-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")


def _fetch_lists(draft: Path) -> None:
    for name in ("lists/partial", "cache/archives/partial"):
        (draft / name).mkdir(parents=True)
    _apt("update", *_options(draft))


def _write_answer(wanted: Sequence[str], options: Sequence[str], draft: Path) -> None:
    arguments = ("install", "--simulate", "--yes", "--no-install-recommends", *wanted)
    (draft / "answer").write_text(_apt(*options, *arguments), encoding="utf-8")


def _as_ourselves(options: Sequence[str]) -> tuple[str, ...]:
    """The options of apt; its own user can't write to the cache."""
    return (*options, "-o", "APT::Sandbox::User=root")


def _apt(*arguments: str) -> str:
    done = subprocess.run(
        ["apt-get", "-q", *_as_ourselves(arguments)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return done.stdout
