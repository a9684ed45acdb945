"""The arguments of `pip install` and `uv pip install`, as far as they decide what is installed.

Source: pip and uv documentation, their options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from stackproof.plan.python.projects import is_project
from stackproof.plan.python.requirements import is_local, local_project
from stackproof.plan.runtime import Install, LocalProject

_VALUES = {
    "-i": "--index-url",
    "--index-url": "--index-url",
    "--extra-index-url": "--extra-index-url",
    "--index": "--index",
    "--default-index": "--default-index",
    "--index-strategy": "--index-strategy",
    "--no-binary": "--no-binary",
    "--only-binary": "--only-binary",
    "--prerelease": "--prerelease",
    "--resolution": "--resolution",
    "--exclude-newer": "--exclude-newer",
    "--trusted-host": "--allow-insecure-host",
    "--allow-insecure-host": "--allow-insecure-host",
    "--torch-backend": "--torch-backend",
    "-C": "--config-setting",
    "--config-setting": "--config-setting",
    "--config-settings": "--config-setting",
    "--upgrade-package": "--upgrade-package",
    "-P": "--upgrade-package",
}
"""Options with a value that decide, and how uv calls them."""

_FLAGS = {
    "--no-deps": "--no-deps",
    "--pre": "--prerelease=allow",
    "--require-hashes": "--require-hashes",
    "-U": "--upgrade",
    "--upgrade": "--upgrade",
    "--no-build-isolation": "--no-build-isolation",
    "--no-index": "--no-index",
    "--no-sources": "--no-sources",
}

_LEFT_OUT = frozenset(
    "-t --target --prefix --root --src -p --python --timeout --retries --progress-bar --cache-dir "
    "--log --proxy --root-user-action --exists-action --link-mode --upgrade-strategy --cert "
    "--client-cert --python-version --platform --implementation --abi -w --wheel-dir --report "
    "--keyring-provider --use-feature --use-deprecated --global-option --color --directory "
    "--python-platform --refresh-package --reinstall-package -d --dest".split()
)
"""Options with a value that decide nothing here."""


class Unreadable(Exception):
    """A command of a Dockerfile that can't be done here; its text is why, or empty."""


def read_pip_arguments(arguments: Sequence[str], locate: Callable[[str], Path | None]) -> Install:
    """What the arguments install.

    Args:
        arguments: Those after `pip install`.
        locate: What a path of the image is on this machine; None for nothing.

    Raises:
        Unreadable: If it can't be known.
    """
    return _Reader(locate).read(arguments)


class _Reader:
    def __init__(self, locate: Callable[[str], Path | None]) -> None:
        self.locate = locate
        self.packages: list[str] = []
        self.files: list[Path] = []
        self.constraints: list[Path] = []
        self.projects: list[LocalProject] = []
        self.options: list[str] = []
        self.extras: list[str] = []
        self.has_lost_links = False

    def read(self, arguments: Sequence[str]) -> Install:
        rest = iter(_separated(arguments))
        for word in rest:
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                self._wanted(word)
            elif name in _FLAGS:
                self.options.append(_FLAGS[name])
            elif name in _VALUES or name in _LEFT_OUT or name in _OWN:
                self._option(name, value if equals else next(rest, ""))
        if self.has_lost_links:  # wheels that an earlier stage has made from what is read as well
            self.options = [option for option in self.options if option != "--no-index"]
        projects = [
            replace(project, extras=(*project.extras, *self.extras)) for project in self.projects
        ]
        return Install(
            "pip",
            "",
            packages=tuple(self.packages),
            files=tuple(self.files),
            constraints=tuple(self.constraints),
            projects=tuple(projects),
            options=tuple(self.options),
        )

    def _option(self, name: str, value: str) -> None:
        if name in {"-r", "--requirement", "--requirements"}:
            path = self._required(value)
            if path.name == "pyproject.toml":
                self.projects.append(LocalProject(path.parent, is_installed=False))
            else:
                self.files.append(path)
        elif name in {"-c", "--constraint", "--constraints"}:
            self.constraints.append(self._required(value))
        elif name in {"-e", "--editable"}:
            self._wanted(value)
        elif name == "--extra":
            self.extras.append(value)
        elif name in {"-f", "--find-links"}:
            self._links(value)
        elif name == "--group":
            self.options += [name, value]
        elif name in _VALUES:
            self.options += [_VALUES[name], value]

    def _links(self, value: str) -> None:
        if "://" in value:
            self.options += ["--find-links", value]
            return
        path = self.locate(value)
        if path is None:
            self.has_lost_links = True
        else:
            self.options += ["--find-links", str(path)]

    def _wanted(self, written: str) -> None:
        if "$" in written or "`" in written:
            raise Unreadable("it has a variable of the shell")
        if not is_local(written):
            if written.endswith(".whl") and "://" not in written:
                self._wheel(written)
            else:
                self.packages.append(written)
            return
        if written.rpartition("/")[2].startswith("*") or written.endswith((".whl", ".tar.gz")):
            self._wheel(written)
            return
        named = local_project(Path("/"), written)
        path, _, _ = written.partition("[")
        found = self.locate(path.removeprefix("file://").removeprefix("file:"))
        if found is None or not is_project(found):
            raise Unreadable(f"there is no Python project at {path} in the build context")
        self.projects.append(LocalProject(found, named.extras))

    def _wheel(self, written: str) -> None:
        path = self.locate(written)
        if path is not None:
            self.packages.append(str(path))
        else:
            self.has_lost_links = True  # of an earlier stage, whose own lines are read as well

    def _required(self, value: str) -> Path:
        path = self.locate(value)
        if path is None:
            raise Unreadable(f"{value} is not in the build context")
        return path


_OWN = frozenset(
    "-r --requirement --requirements -c --constraint --constraints -e --editable --extra -f "
    "--find-links --group".split()
)


def _separated(arguments: Sequence[str]) -> list[str]:
    """The arguments with the values of short options apart: `-rx` is `-r x`."""
    found: list[str] = []
    for word in arguments:
        if len(word) > len("-r") and word[:2] in {"-r", "-c", "-e", "-i", "-f"} and word[1] != "-":
            found += [word[:2], word[2:].removeprefix("=")]
        else:
            found.append(word)
    return found
