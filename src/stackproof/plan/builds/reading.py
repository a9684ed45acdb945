"""Reads the stages of a Dockerfile as steps that can be done here, and says what can't be done."""

from __future__ import annotations

import platform
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackproof.plan.builds.bases import base_of
from stackproof.plan.builds.model import (
    SHELL,
    Base,
    Bound,
    Copy,
    Folder,
    Recipe,
    Run,
    Stage,
    Step,
)
from stackproof.plan.builds.packages import adds_sources, packages_of
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.dockerfile import Reader
from stackproof.plan.services.instructions import FLAGS, Instruction, json_list, until, words_of
from stackproof.plan.world.accounts import accounts_of
from stackproof.stack_file.model import Build

_FLAG = re.compile(r"--([\w-]+)(?:=(\S*))?")
_REMOTE = re.compile(r"^(?:https?|ftp|ssh|git)://|^git@")
_LONGEST = 60

_COPY_FLAGS = frozenset({"from", "chown", "chmod", "link"})
_RUN_FLAGS = frozenset({"mount", "network"})
_WITHOUT_EFFECT = frozenset(
    "FROM ARG ENV EXPOSE ENTRYPOINT CMD USER LABEL MAINTAINER HEALTHCHECK STOPSIGNAL VOLUME".split()
)


@dataclass(frozen=True)
class ReadBuild:
    """What a Dockerfile says.

    Attributes:
        recipe: How it is built.
        image: The configuration of its image, with what its base brings.
        told: By stage, what can't be done here, each with the line.
    """

    recipe: Recipe
    image: Image
    told: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def refusals(self) -> tuple[str, ...]:
        """What can't be done here, each with the line."""
        stages = (stage.name for stage in self.recipe.stages)
        return tuple(told for name in stages for told in self.told.get(name, ()))


def read_build(build: Build, text: str) -> ReadBuild:
    """Read the stages that a build needs.

    Args:
        build: The `build` of a service.
        text: The Dockerfile.

    Raises:
        ConfigError: If its variables expand without bound.
    """
    reading = _Reading(Reader({**_of_the_machine(), **build.args}))
    for instruction in until(text, lambda: reading.reader.has_read(build.target)):
        reading.take(instruction)
    reading.end_stage()
    last = reading.reader.stage
    stages = tuple(needed(reading.stages, last))
    image = reading.reader.whole()
    return ReadBuild(Recipe(build, stages, accounts_of(image)), image, reading.refusals)


def needed(stages: Mapping[str, Stage], name: str) -> Iterator[Stage]:
    """A stage after those that it needs, each once."""
    seen: set[str] = set()
    waiting = [(name, False)]
    while waiting:
        current, is_ready = waiting.pop()
        stage = stages.get(current)
        if stage is None or (current in seen and not is_ready):
            continue
        if is_ready:
            yield stage
            continue
        seen.add(current)
        waiting.append((current, True))
        waiting += [(other, False) for other in stage.needs()]


def _of_the_machine() -> dict[str, str]:
    """The arguments that BuildKit gives to whoever declares them."""
    machine = platform.machine()
    name = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return {
        f"{prefix}{part}": value
        for prefix in ("TARGET", "BUILD")
        for part, value in (("PLATFORM", f"linux/{name}"), ("OS", "linux"), ("ARCH", name))
    }


@dataclass
class _Reading:
    reader: Reader
    stages: dict[str, Stage] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    base: Base | None = None
    below: str = ""
    shell: tuple[str, ...] = SHELL

    def take(self, instruction: Instruction) -> None:
        if instruction.keyword == "FROM":
            self.end_stage()
        self.reader.take(instruction)
        if self.reader.count < 0:
            return
        if instruction.keyword == "FROM":
            self._from(instruction)
        elif instruction.keyword == "RUN":
            self._run(instruction)
        elif instruction.keyword in {"COPY", "ADD"}:
            self._copy(instruction)
        elif instruction.keyword == "WORKDIR":
            image = self.reader.image
            self.steps.append(Folder(instruction.line, image.workdir, image.user))
        elif instruction.keyword == "SHELL":
            self.shell = json_list(instruction.rest) or SHELL
        elif instruction.keyword not in _WITHOUT_EFFECT:
            self._refuse(instruction, "this instruction is not known")

    def end_stage(self) -> None:
        """Keep the stage that has been read."""
        if self.reader.count >= 0:
            name = self.reader.stage
            self.stages[name] = Stage(name, self.base, self.below, tuple(self.steps))
            self.names[str(self.reader.count)] = name

    def _from(self, instruction: Instruction) -> None:
        reader = self.reader
        self.steps, self.shell = [], SHELL
        self.below = self._stage(reader.base)
        self.base = None if self.below else base_of(reader.base)
        if self.base is not None:
            reader.environment |= self.base.environment
            reader.image = replace(
                reader.image,
                workdir=self.base.workdir,
                entrypoint=self.base.entrypoint,
                command=self.base.command,
                user=self.base.user,
            )
            reader.ports |= dict.fromkeys(self.base.ports)
        elif not self.below:
            self._refuse(instruction, f"there is nothing that stands for {reader.base} here")

    def _stage(self, written: str) -> str:
        """The name of an earlier stage; empty where a text names none."""
        name = self.names.get(written, written.lower())
        return name if name in self.stages else ""

    def _flags(self, rest: str) -> tuple[list[tuple[str, str]], str]:
        stripped = FLAGS.sub("", rest)
        flags = rest[: len(rest) - len(stripped)]
        return [(name, value or "") for name, value in _FLAG.findall(flags)], stripped

    def _run(self, instruction: Instruction) -> None:
        flags, text = self._flags(instruction.rest)
        if instruction.feeds:
            self._refuse(instruction, "a command can't read a here-document")
        for name, value in flags:
            if name not in _RUN_FLAGS or (name == "network" and value != "default"):
                self._refuse(instruction, f"--{name}={value} can't be had")
        bound = tuple(
            found
            for name, value in flags
            if name == "mount" and (found := self._bound(instruction, self.reader.expand(value)))
        )
        if adds_sources(text):
            self._refuse(instruction, "packages come from Debian's own sources alone")
        reader = self.reader
        exec_form = json_list(text)
        argv = exec_form or (*self.shell, text)
        self.steps.append(
            Run(
                instruction.line,
                _shown(instruction),
                argv,
                {**reader.arguments, **reader.environment},
                reader.image.workdir,
                reader.image.user,
                bound,
                packages_of(shlex.join(exec_form) if exec_form else text),
            )
        )

    def _bound(self, instruction: Instruction, written: str) -> Bound | None:
        options = dict(part.partition("=")[::2] for part in written.split(","))
        kind = options.get("type", "bind")
        target = options.get("target") or options.get("dst") or options.get("destination") or "."
        target = self.reader.absolute(target)
        if kind == "cache":
            return Bound("cache", target, name=options.get("id") or target)
        if kind == "tmpfs":
            return Bound("tmpfs", target)
        source = posixpath.normpath(options.get("source") or options.get("src") or ".")
        stage = self._copied_stage(instruction, options["from"]) if "from" in options else ""
        if kind != "bind" or stage is None:
            if kind != "bind":
                self._refuse(instruction, f"--mount=type={kind} can't be had")
            return None
        return Bound("bind", target, source.lstrip("/") or ".", stage)

    def _copy(self, instruction: Instruction) -> None:
        flags, text = self._flags(instruction.rest)
        options = {name: self.reader.expand(value) for name, value in flags}
        unknown = [name for name in options if name not in _COPY_FLAGS]
        if instruction.heredocs:
            self._refuse(instruction, "here-documents can't be copied")
            return
        if unknown:
            self._refuse(instruction, f"--{unknown[0]} can't be had")
        words = list(json_list(text) or words_of(text))
        if len(words) < 2:  # noqa: PLR2004 - a source and a target
            self._refuse(instruction, "it has no target")
            return
        *sources, target = (self.reader.expand(word) for word in words)
        is_add = instruction.keyword == "ADD"
        if is_add and any(_REMOTE.match(source) for source in sources):
            self._refuse(instruction, "nothing is downloaded by ADD")
            return
        stage = self._copied_stage(instruction, options["from"]) if "from" in options else ""
        if stage is None:
            return
        into = len(sources) > 1 or self.reader.is_folder(target)
        target = self.reader.absolute(target)
        owner, mode = options.get("chown", ""), options.get("chmod", "")
        named = tuple(posixpath.normpath(source.lstrip("/") or ".") for source in sources)
        written = _shown(instruction)
        self.steps.append(
            Copy(instruction.line, written, named, target, into, stage, owner, mode, is_add)
        )

    def _copied_stage(self, instruction: Instruction, written: str) -> str | None:
        """The stage that is copied from; one is made for an image. None where there is none."""
        named = self._stage(self.reader.expand(written))
        if named:
            return named
        base = base_of(written)
        if base is None:
            self._refuse(instruction, f"there is nothing that stands for {written} here")
            return None
        self.stages[written] = Stage(written, base)
        return written

    def _refuse(self, instruction: Instruction, why: str) -> None:
        shown = _shown(instruction)
        told = self.refusals.setdefault(self.reader.stage, [])
        told.append(f"line {instruction.line}: `{shown}`: {why}")


def _shown(instruction: Instruction) -> str:
    return _cut(" ".join(f"{instruction.keyword} {instruction.rest}".split()))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
