"""Which version of Python a service runs with, and where that is written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from stackproof.plan.python.projects import project_tables
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.extension import Extension
from stackproof.stack_file.regular_files import read_text_file

_TAG = re.compile(r"^v?(\d+(?:\.\d+){0,2})")
_TAG_OF_OTHERS = re.compile(r"(?:^|[-_.])(?:python|py)-?(\d+\.\d+(?:\.\d+)?)")
_VERSION_FILE = re.compile(r"^(?:c?python-?|cpython-)?(\d+(?:\.\d+){0,2})", re.IGNORECASE)
_CARET = re.compile(r"([\^~])\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?")
_PLAIN = frozenset({"python", "uv"})
_DEBIAN = {"debian11": "3.9", "debian12": "3.11", "debian13": "3.13"}
"""The version in images without a shell, by the system that they are made of."""


@dataclass(frozen=True)
class PythonVersion:
    """A version of Python that is asked for.

    Attributes:
        request: `3.12`, `3.12.1` or `>=3.11,<3.14`; empty for any.
        source: Where that is written.
    """

    request: str = ""
    source: str = ""


def python_version(extension: Extension, image: Image | None, project: Path) -> PythonVersion:
    """The version that a service runs with.

    `x-stackproof.python` is the strongest, then the image that its Dockerfile starts from, then
    `.python-version`, then what the project requires.

    Args:
        extension: Its `x-stackproof`.
        image: What its Dockerfile says; None without one.
        project: The folder of the project.
    """
    if extension.python:
        return PythonVersion(extension.python, "x-stackproof.python")
    for base in (image.base, *image.other_bases) if image else ():
        version = version_of_image(base)
        if version:
            return PythonVersion(version, f"FROM {base}")
    written = _text(project / ".python-version").strip()
    match = _VERSION_FILE.match(written)
    if match:
        return PythonVersion(match[1], ".python-version")
    tables = project_tables(project)
    required = tables.project.get("requires-python")
    if isinstance(required, str) and required.strip():
        return PythonVersion(re.sub(r"\s", "", required), "requires-python")
    poetry = tables.poetry.get("dependencies")
    required = poetry.get("python") if isinstance(poetry, dict) else None
    if isinstance(required, str) and "||" not in required:
        return PythonVersion(_CARET.sub(_range, re.sub(r"\s", "", required)), "tool.poetry")
    return PythonVersion()


def is_python_image(reference: str) -> bool:
    """Whether an image is the official one of Python, behind any registry."""
    name = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return name == "python"


def brings_packages(reference: str) -> bool:
    """Whether an image may have packages of Python that its own project has not asked for."""
    name = reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    is_plain = name in _PLAIN or name.startswith("python3-")  # those without a shell
    return not is_plain and bool(version_of_image(reference))


def version_of_image(reference: str) -> str:
    """The version of Python that an image's tag names; empty where it names none.

    Args:
        reference: Such as `python:3.12-slim` or `ghcr.io/astral-sh/uv:python3.12-bookworm`.
    """
    path = reference.partition("@")[0]
    name, _, tag = path.rpartition("/")[2].partition(":")
    if is_python_image(reference):
        match = _TAG.match(tag)
        return match[1] if match else ""
    match = _TAG_OF_OTHERS.search(tag) or _TAG_OF_OTHERS.search(name)
    if match:
        return match[1]
    if "distroless" in path and name.startswith("python3-"):
        return _DEBIAN.get(name.removeprefix("python3-"), "")
    return ""


def _range(match: re.Match[str]) -> str:
    """`^3.11` and `~3.11` as a range."""
    sign, major, minor, patch = match.groups()
    lower = ".".join(part for part in (major, minor, patch) if part)
    if sign == "^" or minor is None:
        return f">={lower},<{int(major) + 1}"
    return f">={lower},<{major}.{int(minor) + 1}"


def _text(path: Path) -> str:
    try:
        return read_text_file(path, errors="replace")
    except OSError:
        return ""
