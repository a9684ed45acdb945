"""Reads from a Dockerfile what running its program without Docker needs; the rest is ignored.

Source: Dockerfile reference. Only the stage that is built is looked at, with what it inherits from
earlier stages by `FROM <stage>`.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from stackproof.errors import ConfigError

_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)(?:(:?[-+])([^}]*))?\}|(\w+))")
_FLAG = re.compile(r"^--[\w-]+(=\S*)?$")
_HEREDOC = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_PORT = re.compile(r"^(\d{1,5})(?:-(\d{1,5}))?(?:/tcp)?$")
_FROM = re.compile(r"^(\S+)(?:\s+AS\s+(\S+))?$", re.IGNORECASE)


MOST_TEXT = 1024 * 1024
"""Letters that all variables of a Dockerfile may put in; `ENV B=$A$A` doubles a value."""


@dataclass(frozen=True)
class Copied:
    """One source of a COPY or ADD from the build context.

    Attributes:
        source: Path in the build context, without a leading `/`; `.` for all of it.
        target: Absolute path in the image of what the source became; for a folder, its content.
        into: Whether a file lands in `target` under its own name.
    """

    source: str
    target: str
    into: bool


@dataclass(frozen=True)
class Image:
    """What the built stage says.

    Attributes:
        workdir: The last WORKDIR, absolute; "/" where there is none.
        environment: ENV, expanded.
        ports: EXPOSE, TCP only.
        entrypoint: ENTRYPOINT; None where there is none.
        command: CMD; None where there is none.
        copied: What comes from the build context.
        base: The image that the stage is built from.
    """

    workdir: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    copied: tuple[Copied, ...] = ()
    base: str = ""

    @property
    def argv(self) -> tuple[str, ...]:
        """What a container runs when nothing else is asked for."""
        return (*(self.entrypoint or ()), *(self.command or ()))


def read_dockerfile(
    text: str, *, target: str | None = None, arguments: Mapping[str, str] | None = None
) -> Image:
    """Read a Dockerfile.

    Args:
        text: Its content.
        target: The stage to build; None for the last one.
        arguments: Build arguments.

    Returns:
        What its built stage says; instructions that don't matter here, or that can't be understood,
        are ignored.

    Raises:
        ConfigError: If its variables expand without bound.
    """
    reader = _Reader(dict(arguments or {}))
    for keyword, rest in _instructions(text):
        if keyword == "FROM" and target is not None and reader.stage == target.lower():
            break
        reader.take(keyword, rest)
    return reader.whole()


class _Reader:
    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.given = arguments
        self.globals: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        self.stages: dict[str, Image] = {}
        self.image = Image()
        self.environment: dict[str, str] = {}
        self.ports: dict[int, None] = {}
        self.copied: list[Copied] = []
        self.put_in = 0
        self.stage = ""
        self.count = -1
        self.command_is_inherited = True

    def take(self, keyword: str, rest: str) -> None:
        steps: Mapping[str, Callable[[str], None]] = {
            "FROM": self._from,
            "ARG": self._arg,
            "ENV": self._env,
            "WORKDIR": self._workdir,
            "EXPOSE": self._expose,
            "ENTRYPOINT": self._entrypoint,
            "CMD": self._cmd,
            "COPY": self._copy,
            "ADD": self._copy,
        }
        step = steps.get(keyword)
        if step is not None:
            step(rest)

    def expand(self, text: str) -> str:
        known = ChainMap(self.environment, self.arguments)

        def counted(match: re.Match[str]) -> str:
            found = value(match)
            self.put_in += len(found)
            if self.put_in > MOST_TEXT:
                raise ConfigError(
                    f"the variables of the Dockerfile put in more than {MOST_TEXT:,} letters",
                    remedy="let its ENV and ARG be shorter",
                )
            return found

        def value(match: re.Match[str]) -> str:
            if match[0] == r"\$":
                return "$"
            current = known.get(match[1] or match[4])
            if match[2] is None:
                return current or ""
            has = current is not None and (current != "" or ":" not in match[2])
            if match[2].endswith("-"):
                return current or "" if has else match[3]
            return match[3] if has else ""

        return _VARIABLE.sub(counted, text)

    def _from(self, rest: str) -> None:
        self._keep()
        words = [word for word in rest.split() if not _FLAG.match(word)]
        match = _FROM.match(" ".join(words))
        self.image = Image()
        self.arguments = dict(self.globals)
        base = self.expand(match[1]) if match else ""
        self.arguments = {}
        self.count += 1
        self.stage = (match[2] or str(self.count)).lower() if match else str(self.count)
        self.image = replace(self.stages.get(base.lower(), Image()), base=base)
        self.environment = dict(self.image.environment)
        self.ports = dict.fromkeys(self.image.ports)
        self.copied = list(self.image.copied)
        self.command_is_inherited = True

    def whole(self) -> Image:
        """What the stage says so far."""
        return replace(
            self.image,
            environment=dict(self.environment),
            ports=tuple(self.ports),
            copied=tuple(self.copied),
        )

    def _keep(self) -> None:
        if self.count >= 0:
            self.stages[self.stage] = self.stages[str(self.count)] = self.whole()

    def _arg(self, rest: str) -> None:
        for word in _words(rest):
            name, equals, default = word.partition("=")
            value = self.given.get(name)
            if value is None:
                value = self.expand(default) if equals else self.globals.get(name)
            if value is not None:
                self.arguments[name] = value
                if self.count < 0:
                    self.globals[name] = value

    def _env(self, rest: str) -> None:
        words = _words(rest)
        if words and "=" not in words[0]:  # the old form: ENV NAME any text
            name, _, value = rest.strip().partition(" ")
            pairs = {name: value.strip()}
        else:
            pairs = dict(word.split("=", 1) for word in words if "=" in word)
        self.environment |= {name: self.expand(value) for name, value in pairs.items()}

    def _workdir(self, rest: str) -> None:
        self.image = replace(self.image, workdir=self._absolute(self.expand(rest.strip())))

    def _expose(self, rest: str) -> None:
        for word in self.expand(rest).split():
            match = _PORT.match(word)
            if match:
                wanted = range(int(match[1]), int(match[2] or match[1]) + 1)
                self.ports |= dict.fromkeys(wanted)

    def _entrypoint(self, rest: str) -> None:
        # An ENTRYPOINT takes an inherited CMD away, but not the stage's own.
        kept = None if self.command_is_inherited else self.image.command
        self.image = replace(self.image, entrypoint=_command(rest), command=kept)

    def _cmd(self, rest: str) -> None:
        self.command_is_inherited = False
        self.image = replace(self.image, command=_command(rest))

    def _copy(self, rest: str) -> None:
        if re.search(r"(?:^|\s)--from=", rest) or _HEREDOC.search(rest):
            return
        stripped = re.sub(r"^(?:--[\w-]+(?:=\S*)?\s+)*", "", rest.strip())
        words = list(_json_list(stripped) or _words(stripped))
        if len(words) < 2:  # noqa: PLR2004 - a source and a target
            return
        *sources, target = (self.expand(word) for word in words)
        into = len(sources) > 1 or target.endswith("/") or target in {".", "./"}
        self.copied += [
            Copied(posixpath.normpath(source.lstrip("/") or "."), self._absolute(target), into)
            for source in sources
        ]

    def _absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.image.workdir, path))


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    escape = "`" if re.search(r"^#\s*escape\s*=\s*`", text, re.MULTILINE) else "\\"
    lines = iter(text.splitlines())
    for line in lines:
        parts = [line.strip()]
        if not parts[0] or parts[0].startswith("#"):
            continue
        while parts[-1].endswith(escape):
            following = next(lines, None)
            if following is None:
                break
            if following.strip().startswith("#"):
                continue
            parts[-1] = parts[-1][:-1]
            parts.append(following.strip())
        joined = " ".join(parts)
        keyword, _, rest = joined.partition(" ")
        for end in _HEREDOC.findall(rest) if keyword.upper() in {"RUN", "COPY", "ADD"} else ():
            for inner in lines:
                if inner.strip() == end:
                    break
        yield keyword.upper(), rest.strip()


def _command(rest: str) -> tuple[str, ...]:
    exec_form = _json_list(rest)
    return exec_form if exec_form is not None else ("/bin/sh", "-c", rest.strip())


def _json_list(text: str) -> tuple[str, ...] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
