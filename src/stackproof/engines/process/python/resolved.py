"""What an installation came to: each package with its version, and which of them nothing pins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from stackproof.engines.process.python.preparing import Prepared
from stackproof.plan.python.requirements import normal_name, pinned_name

FREEZE = "freeze.txt"
FLOATING = "floating.txt"
BASE = frozenset({"pip", "setuptools", "wheel"})

_HEADER = re.compile(r"^(Name|Version): (.+)$", re.MULTILINE)


def write_freeze(environment: Path, prepared: Sequence[Prepared]) -> None:
    """Note the packages of a virtualenv, and those whose versions are nobody's choice.

    Args:
        environment: The virtualenv.
        prepared: What was installed into it.
    """
    found = dict(_installed(environment))
    lines = [f"{name}=={version}" for name, version in sorted(found.items())]
    (environment / FREEZE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if any(part.is_hashed or part.lock for part in prepared):
        pinned = set(found)  # what has a hash brings nothing with it that has none
    else:
        pinned = {
            pinned_name(line) for part in prepared for line in (*part.lines, *part.constraints)
        }
    local = {normal_name(project.folder.name) for part in prepared for project in part.built}
    floating = sorted(set(found) - pinned - BASE - local)
    (environment / FLOATING).write_text("".join(f"{n}\n" for n in floating), encoding="utf-8")


def floating_packages(environment: Path) -> tuple[str, ...]:
    """The packages of a virtualenv whose versions nothing pins."""
    try:
        return tuple((environment / FLOATING).read_text(encoding="utf-8").split())
    except OSError:
        return ()


def _installed(environment: Path) -> Iterator[tuple[str, str]]:
    for folder in environment.glob("lib/python*/site-packages/*.dist-info"):
        try:
            text = (folder / "METADATA").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        about = dict(reversed(_HEADER.findall(text.partition("\n\n")[0])))
        if "Name" in about and "Version" in about:
            yield normal_name(about["Name"]), about["Version"].strip()
