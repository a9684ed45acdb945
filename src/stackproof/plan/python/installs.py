"""What the RUN lines of a Dockerfile install for Python, and what of them can't be done here."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stackproof.plan.addressing.commands import shell_commands, shell_script
from stackproof.plan.python.other_locks import NAMES
from stackproof.plan.python.pip_arguments import Unreadable, read_pip_arguments
from stackproof.plan.python.projects import find_workspace_lock
from stackproof.plan.runtime import Install, LocalProject
from stackproof.plan.services.built_stage import Image, Run, in_context
from stackproof.stack_file.regular_files import real_path

_PIP = re.compile(r"^pip[\d.]*$")
_PYTHON = re.compile(r"^(?:python|pypy)[\d.]*$")
_SHELLS = frozenset({"sh", "bash", "ash", "dash"})
_PREFIXES = frozenset({"sudo", "exec", "time", "then", "do", "else", "if", "!", "command", "env"})
_HARMLESS = frozenset(
    "cd set echo printf true : mkdir chmod chown rm touch ls test [ export fi done useradd adduser "
    "addgroup groupadd usermod install-d sync which cat find id whoami for unset ulimit".split()
)
"""Commands that leave nothing behind which a service could miss."""

_SYSTEM = {"apt-get": "install", "apt": "install", "apk": "add", "yum": "install", "dnf": "install",
           "microdnf": "install", "zypper": "install"}  # fmt: skip
_SYNC_FLAGS = frozenset({"--all-extras", "--all-groups", "--no-dev", "--only-dev", "--all-packages",
                         "--no-default-groups"})  # fmt: skip
_SYNC_VALUES = frozenset({"--extra", "--group", "--no-group", "--only-group", "--package",
                          "--no-extra"})  # fmt: skip


@dataclass
class ReadInstalls:
    """What was found in a Dockerfile.

    Attributes:
        installs: Installations, in order.
        system: Packages of the image's system that it installs.
        others: Commands that are not run here, as written, and why; empty where it is plain.
        makes_virtualenv: Whether it makes a virtualenv, which has none of the image's packages.
    """

    installs: list[Install] = field(default_factory=list)
    system: dict[str, None] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    makes_virtualenv: bool = False

    def leave_out(self, commands: Collection[str], packages: Collection[str]) -> None:
        """Take away what is done otherwise."""
        for command in commands:
            self.others.pop(command, None)
        for package in packages:
            self.system.pop(package, None)


def read_installs(image: Image, context: Path) -> ReadInstalls:
    """Read the RUN lines of a Dockerfile.

    Args:
        image: What the Dockerfile says.
        context: The build context.
    """
    found = ReadInstalls()
    for run in image.runs:
        _RunReader(run, context, found).read(run.text)
    syncs = [install for install in found.installs if install.tool == "uv"]
    found.installs = [  # a later sync replaces what an earlier one has installed
        install for install in found.installs if install.tool != "uv" or install is syncs[-1]
    ]
    return found


class _RunReader:
    def __init__(self, run: Run, context: Path, found: ReadInstalls) -> None:
        self.run = run
        self.context = context
        self.found = found
        self.folder = run.workdir

    def read(self, text: str) -> None:
        for words in shell_commands(text):
            rest = _without_prefixes(words)
            if rest and not rest[0].startswith("#"):
                self._command(rest)

    def _command(self, words: list[str]) -> None:
        program = words[0].rsplit("/", 1)[-1]
        script = shell_script(words) if program in _SHELLS else None
        if script is not None:
            self.read(script)
        elif program in _SHELLS and len(words) == 1:
            return  # the end of `curl … | sh`
        elif program == "cd":
            self.folder = posixpath.join(self.folder, words[1]) if len(words) > 1 else self.folder
        elif program in _SYSTEM:
            self._system_packages(words, _SYSTEM[program])
        elif program not in _HARMLESS and not _makes_folders(words):
            try:
                self._python(program, words)
            except Unreadable as error:
                self.found.others[" ".join(words)] = str(error)

    def _python(self, program: str, words: list[str]) -> None:
        if _PIP.match(program):
            self._pip(words, words[1:])
        elif _PYTHON.match(program) and words[1:3] == ["-m", "pip"]:
            self._pip(words, words[3:])
        elif _PYTHON.match(program) and words[1:2] == ["-m"] and words[2:3] in _VENV_MODULES:
            self.found.makes_virtualenv = self.found.makes_virtualenv or words[2] in _MAKERS
        elif program == "virtualenv":
            self.found.makes_virtualenv = True
        elif program == "uv":
            self._uv(words)
        elif program in NAMES:
            self._project_tool(program, words)
        else:
            raise Unreadable

    def _pip(self, words: Sequence[str], arguments: Sequence[str]) -> None:
        verb = next((word for word in arguments if not word.startswith("-")), "")
        if verb not in {"install", "wheel", "sync"}:
            return  # pip config, pip check, pip cache purge
        at = list(arguments).index(verb)
        install = read_pip_arguments([*arguments[:at], *arguments[at + 1 :]], self._path)
        if verb == "sync":
            install = replace(
                install, files=tuple(map(self._required, install.packages)), packages=()
            )
        if install != Install("pip", ""):
            self._add(install, words)

    def _uv(self, words: list[str]) -> None:
        verb = words[1] if len(words) > 1 else ""
        if verb == "pip":
            self._pip(words, words[2:])
        elif verb == "venv":
            self.found.makes_virtualenv = True
        elif verb == "sync":
            self.found.makes_virtualenv = True
            self._add(self._sync(words[2:]), words)
        elif verb not in {"python", "lock", "cache", "--version", "version", "self"}:
            raise Unreadable

    def _sync(self, words: Sequence[str]) -> Install:
        folder = self._folder()
        lock = find_workspace_lock(folder)
        if lock is None:
            raise Unreadable("there is no uv.lock")
        options: list[str] = []
        rest = iter(words)
        for word in rest:
            name, equals, value = word.partition("=")
            if name in _SYNC_FLAGS:
                options.append(name)
            elif name in _SYNC_VALUES:
                options += [name, value if equals else next(rest, "")]
        skips = {"--no-install-project", "--no-install-workspace"} & set(words)
        projects = () if skips else (LocalProject(folder),)
        return Install("uv", "", lock=lock, projects=projects, options=tuple(options))

    def _project_tool(self, tool: str, words: list[str]) -> None:
        verb = words[1] if len(words) > 1 else ""
        if verb not in {"install", "sync"}:
            if verb in {"config", "self", "cache", "--version", "env"}:
                return
            raise Unreadable
        folder = self._folder()
        lock = folder / NAMES[tool]
        self.found.makes_virtualenv = self.found.makes_virtualenv or tool == "pdm"
        project = LocalProject(folder, tuple(_values(words, {"-E", "--extras", "-G", "--group"})))
        groups = tuple(_values(words, {"--with", "--only"}))
        install = Install(
            tool,
            "",
            lock=lock if lock.is_file() else None,
            projects=(project,),
            options=("--no-root",) if {"--no-root", "--no-self"} & set(words) else (),
            groups=tuple(group for group in groups if group != "main"),
        )
        self._add(install, words)

    def _add(self, install: Install, words: Sequence[str]) -> None:
        written = " ".join(words)
        environment = dict(self.run.environment)
        self.found.installs.append(replace(install, written=written, environment=environment))

    def _system_packages(self, words: Sequence[str], verb: str) -> None:
        if verb not in words:
            return
        named = words[list(words).index(verb) + 1 :]
        self.found.system |= dict.fromkeys(
            word.partition("=")[0] for word in named if not word.startswith(("-", "."))
        )

    def _path(self, written: str) -> Path | None:
        """What a path of the image is in the build context; None where nothing was copied there."""
        if "$" in written:
            raise Unreadable("it has a variable of the shell")
        path = posixpath.normpath(posixpath.join("/", self.folder, written))
        places = (
            real_path(self.context, "./" + name) for name in in_context(self.run.copied, path)
        )
        return next((place for place in places if place.exists()), None)

    def _required(self, written: str) -> Path:
        found = self._path(written)
        if found is None:
            raise Unreadable(f"{written} is not in the build context")
        return found

    def _folder(self) -> Path:
        found = self._path(".")
        return found if found is not None and found.is_dir() else self.context


def _makes_folders(words: Sequence[str]) -> bool:
    """Whether a command is `install --directory`, which is as `mkdir` is."""
    return words[0] == "install" and not {"-d", "--directory"}.isdisjoint(words)


_MAKERS = frozenset({"venv", "virtualenv"})
_VENV_MODULES = [[name] for name in (*_MAKERS, "compileall", "ensurepip")]


def _without_prefixes(words: list[str]) -> list[str]:
    for number, word in enumerate(words):
        name, equals, _ = word.partition("=")
        if word not in _PREFIXES and not (equals and name.isidentifier()):
            return words[number:]
    return []


def _values(words: Sequence[str], options: set[str]) -> Iterator[str]:
    """What options name, each alone or as a list."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in options:
            found = value if equals else next(iter(words[number + 1 :]), "")
            yield from (part for part in re.split(r"[\s,]+", found) if part)
