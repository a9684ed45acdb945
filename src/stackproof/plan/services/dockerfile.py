"""Reads from a Dockerfile what running its program without Docker needs; the rest is ignored.

Source: Dockerfile reference. Only the built stage counts, with what it has from earlier ones.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from stackproof.errors import ConfigError
from stackproof.plan.services.built_stage import Copied, Image, KnownFolders, Run, in_context
from stackproof.plan.services.image_defaults import read_healthcheck
from stackproof.plan.services.instructions import (
    FLAGS,
    Instruction,
    command_of,
    has_heredoc,
    json_list,
    until,
    words_of,
)

_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)(?:(:?[-+])([^}]*))?\}|(\w+))")
_FLAG = re.compile(r"^--[\w-]+(=\S*)?$")
_FROM_STAGE, _CHMOD, _CHOWN = (
    re.compile(rf"(?:^|\s)--{name}=(\S+)") for name in ("from", "chmod", "chown")
)
_MOUNT = re.compile(r"--mount=(\S+)")
_FOR_INSTALLS = re.compile(
    r"(?:PIP_(?:EXTRA_)?INDEX_URL|UV_(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?|PBR_VERSION)$"
    r"|\w*PRETEND_VERSION"
)
_PORT = re.compile(r"^(\d{1,5})(?:-(\d{1,5}))?(?:/tcp)?$")
_FROM = re.compile(r"^(\S+)(?:\s+AS\s+(\S+))?$", re.IGNORECASE)

MOST_BROUGHT = 1000
"""Files and folders that are followed through stages; each stage may name all of another's."""

MOST_TEXT = 1024 * 1024
"""Letters that all variables of a Dockerfile may put in; `ENV B=$A$A` doubles a value."""


def read_dockerfile(
    text: str, *, target: str | None = None, arguments: Mapping[str, str] | None = None
) -> Image:
    """What the built stage of a Dockerfile says.

    Args:
        text: Its content.
        target: The stage to build; None for the last one.
        arguments: Build arguments.

    Raises:
        ConfigError: If its variables expand without bound.
    """
    reader = Reader(dict(arguments or {}))
    for instruction in until(text, lambda: reader.has_read(target)):
        reader.take(instruction)
    return reader.whole()


class Reader:
    """Takes the instructions of a Dockerfile, and knows what they have said so far.

    Args:
        arguments: Build arguments.
    """

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.given = arguments
        self.globals: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        self.stages: dict[str, Image] = {}
        self.image = Image()
        self.environment: dict[str, str] = {}
        self.ports: dict[int, None] = {}
        self.copied: list[Copied] = []
        self.brought: list[Copied] = []
        self.folders = KnownFolders(self.image)
        self.runs: dict[int, Run] = {}
        self.other_bases: list[str] = []
        self.put_in = 0
        self.stage = ""
        self.base = ""
        self.count = -1
        self.command_is_inherited = True

    def take(self, instruction: Instruction) -> None:
        """Take the next instruction."""
        steps: Mapping[str, Callable[[str], None]] = {
            "FROM": self._from,
            "ARG": self._arg,
            "ENV": self._env,
            "WORKDIR": self._workdir,
            "EXPOSE": self._expose,
            "ENTRYPOINT": self._entrypoint,
            "CMD": self._cmd,
            "COPY": self._copy,
            "ADD": partial(self._copy, unpacks=True),
            "RUN": self._run,
            "USER": self._user,
            "HEALTHCHECK": partial(self._healthcheck, line=instruction.line),
            "STOPSIGNAL": self._stop_signal,
        }
        step = steps.get(instruction.keyword)
        if step is not None:
            step(instruction.rest)

    def has_read(self, target: str | None) -> bool:
        """Whether the stage that was read last is the target."""
        return target is not None and self.stage == target.lower()

    def expand(self, text: str, *, keep_unknown: bool = False) -> str:
        """Fill in variables; a shell's text keeps those that the Dockerfile does not know."""
        known = ChainMap(self.environment, self.arguments)

        def counted(match: re.Match[str]) -> str:
            found = value(match)
            self.put_in += len(found)
            if self.put_in > MOST_TEXT:
                raise ConfigError(
                    f"the variables of the Dockerfile expand to more than {MOST_TEXT:,} characters",
                    remedy="shorten its ENV and ARG",
                )
            return found

        def value(match: re.Match[str]) -> str:
            if match[0] == r"\$":
                return match[0] if keep_unknown else "$"
            current = known.get(match[1] or match[4])
            if keep_unknown and current is None:
                return match[0]
            if match[2] is None:
                return current or ""
            has = current is not None and (current != "" or ":" not in match[2])
            if match[2].endswith("-"):
                return current or "" if has else match[3]
            return match[3] if has else ""

        return _VARIABLE.sub(counted, text)

    def _from(self, rest: str) -> None:
        self._keep()
        match = _FROM.match(" ".join(word for word in rest.split() if not _FLAG.match(word)))
        self.image = Image()
        self.arguments = dict(self.globals)
        base = self.expand(match[1]) if match else ""
        self.arguments = {}
        self.count += 1
        self.stage = (match[2] or str(self.count)).lower() if match else str(self.count)
        self.base = base
        below = self.stages.get(base.lower())
        self.image = below or Image(base=base)
        self.environment = dict(self.image.environment)
        self.ports = dict.fromkeys(self.image.ports)
        self.copied = list(self.image.copied)
        self.brought = list(self.image.brought)
        self.folders = KnownFolders(self.image)
        self.runs = {id(run): run for run in self.image.runs}
        self.other_bases = list(self.image.other_bases)
        self.command_is_inherited = True

    def whole(self) -> Image:
        """What the stage says so far."""
        return replace(
            self.image,
            environment=dict(self.environment),
            ports=tuple(self.ports),
            copied=tuple(self.copied),
            brought=tuple(self.brought),
            runs=tuple(self.runs.values()),
            other_bases=tuple(dict.fromkeys(self.other_bases)),
        )

    def _keep(self) -> None:
        if self.count >= 0:
            self.stages[self.stage] = self.stages[str(self.count)] = self.whole()

    def _arg(self, rest: str) -> None:
        for word in words_of(rest):
            name, equals, default = word.partition("=")
            value = self.given.get(name)
            if value is None:
                value = self.expand(default) if equals else self.globals.get(name)
            if value is not None:
                self.arguments[name] = value
                if self.count < 0:
                    self.globals[name] = value

    def _env(self, rest: str) -> None:
        words = words_of(rest)
        if words and "=" not in words[0]:  # the old form: ENV NAME any text
            name, _, value = rest.strip().partition(" ")
            pairs = {name: value.strip()}
        else:
            pairs = dict(word.split("=", 1) for word in words if "=" in word)
        self.environment |= {name: self.expand(value) for name, value in pairs.items()}

    def _workdir(self, rest: str) -> None:
        self.image = replace(self.image, workdir=self.absolute(self.expand(rest.strip())))
        self.folders.add(self.image.workdir)

    def _user(self, rest: str) -> None:
        self.image = replace(self.image, user=self.expand(rest.strip()))

    def _stop_signal(self, rest: str) -> None:
        self.image = replace(self.image, stop_signal=self.expand(rest.strip()))

    def _healthcheck(self, rest: str, line: int) -> None:
        self.image = replace(self.image, healthcheck=read_healthcheck(rest, line))

    def _expose(self, rest: str) -> None:
        for word in self.expand(rest).split():
            match = _PORT.match(word)
            if match:
                wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
                self.ports |= dict.fromkeys(wanted)

    def _entrypoint(self, rest: str) -> None:
        # An ENTRYPOINT takes an inherited CMD away, but not the stage's own.
        kept = None if self.command_is_inherited else self.image.command
        self.image = replace(self.image, entrypoint=command_of(rest), command=kept)

    def _cmd(self, rest: str) -> None:
        self.command_is_inherited = False
        self.image = replace(self.image, command=command_of(rest))

    def _copy(self, rest: str, *, unpacks: bool = False) -> None:
        if has_heredoc(rest):
            return
        stripped = FLAGS.sub("", rest.strip())
        words = list(json_list(stripped) or words_of(stripped))
        if len(words) < 2:  # noqa: PLR2004 - a source and a target
            return
        *sources, target = (self.expand(word) for word in words)
        into, target = len(sources) > 1 or self.is_folder(target), self.absolute(target)
        if into or "." in sources:
            self.folders.add(target)
        options = rest.strip()[: len(rest.strip()) - len(stripped)]
        chown = _CHOWN.search(options)
        owner = self.expand(chown[1]) if chown else ""
        chmod = _CHMOD.search(options)
        mode = self.expand(chmod[1]) if chmod else ""
        stage = _FROM_STAGE.search(options)
        if stage is None:
            named = (posixpath.normpath(source.lstrip("/") or ".") for source in sources)
            found = [Copied(name, target, into, owner, unpacks, mode) for name in named]
            self.copied += found
            self.brought += found
            return
        other = self.stages.get(self.expand(stage[1]).lower())
        if other is None:
            return
        self.runs |= {id(run): run for run in other.runs}
        self.other_bases += [other.base, *other.other_bases]
        for source in sources:
            path = posixpath.normpath(posixpath.join("/", source))
            likeliest_last = reversed(list(in_context(other.brought, path)))
            self.brought += [
                Copied(name, target, into, owner, mode=mode) for name in likeliest_last
            ]
        del self.brought[MOST_BROUGHT:]

    def _run(self, rest: str) -> None:
        mounts = [
            Copied(
                posixpath.normpath(options.get("source", ".").lstrip("/") or "."),
                self.absolute(options.get("target") or options.get("dst") or "."),
                into=False,
            )
            for written in _MOUNT.findall(self.expand(rest))
            if (options := dict(part.partition("=")[::2] for part in written.split(",")))
            and options.get("type", "bind") == "bind"
            and "from" not in options
        ]
        text = self.expand(FLAGS.sub("", rest), keep_unknown=True)
        exec_form = json_list(text)
        known = {**self.arguments, **self.environment}
        run = Run(
            shlex.join(exec_form) if exec_form else text,
            self.image.workdir,
            (*self.brought, *mounts),
            {name: value for name, value in known.items() if _FOR_INSTALLS.match(name)},
            self.image.user,
        )
        self.runs[id(run)] = run

    def is_folder(self, written: str) -> bool:
        """Whether what COPY has as its target is a folder, so that a file lands in it."""
        return written.endswith("/") or self.absolute(written) in self.folders

    def absolute(self, path: str) -> str:
        """A path of the image, as WORKDIR makes it absolute."""
        return posixpath.normpath(posixpath.join(self.image.workdir, path))
