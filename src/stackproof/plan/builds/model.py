"""A build as plain data: the stages of a Dockerfile that are needed, each a list of steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from stackproof.plan.world.accounts import Accounts
from stackproof.stack_file.model import Build

BaseKind = Literal["system", "node", "go", "java", "maven", "gradle", "nginx", "php"]

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELL = ("/bin/sh", "-c")


@dataclass(frozen=True)
class Base:
    """An image that a stage starts from, and what stands for it here.

    Attributes:
        reference: As the Dockerfile names it.
        kind: What it brings beside a system.
        version: The version of that which its tag names; empty for any.
        java: The version of Java, of an image that has it beside its own tool.
        environment: Its ENV.
        workdir: Its WORKDIR.
        entrypoint: Its ENTRYPOINT.
        command: Its CMD.
        ports: Its EXPOSE.
        user: Its USER.
    """

    reference: str
    kind: BaseKind = "system"
    version: str = ""
    java: str = ""
    environment: Mapping[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    workdir: str = "/"
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    ports: tuple[int, ...] = ()
    user: str = ""


@dataclass(frozen=True)
class Bound:
    """A `--mount` of RUN.

    Attributes:
        kind: `cache` (kept between builds), `bind` (of the context or a stage) or `tmpfs`.
        target: Absolute path.
        source: Path in the context or the stage.
        stage: The stage; empty for the context.
        name: Name of a cache.
    """

    kind: Literal["cache", "bind", "tmpfs"]
    target: str
    source: str = ""
    stage: str = ""
    name: str = ""


@dataclass(frozen=True)
class Run:
    """One RUN.

    Attributes:
        line: Its line in the Dockerfile.
        written: Its text, for people, as that of COPY.
        argv: What is run.
        environment: What it gets: ENV, and ARG.
        workdir: Where it runs.
        user: The user that it runs as; empty for root.
        bound: What is mounted for it.
        packages: Packages of the system that it installs.
    """

    line: int
    written: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    workdir: str = "/"
    user: str = ""
    bound: tuple[Bound, ...] = ()
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """One COPY or ADD.

    Attributes:
        line: Its line in the Dockerfile.
        written: Its text, for people.
        sources: Paths in the context or the stage; may be patterns.
        target: Absolute path.
        into: Whether files land in `target` under their own names.
        stage: The stage that it copies from; empty for the context.
        owner: User and group of what is copied (`--chown`); empty for root.
        mode: Its rights (`--chmod`), octal; empty for those of the source.
        unpacks: Whether archives are unpacked, as ADD does.
    """

    line: int
    written: str
    sources: tuple[str, ...]
    target: str
    into: bool
    stage: str = ""
    owner: str = ""
    mode: str = ""
    unpacks: bool = False


@dataclass(frozen=True)
class Folder:
    """One WORKDIR: the folder is made.

    Attributes:
        line: Its line in the Dockerfile.
        path: The folder.
        user: Whose it is.
    """

    line: int
    path: str
    user: str = ""


Step = Run | Copy | Folder


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        name: Its name, or its number.
        base: The image that it starts from; None where it starts from another stage.
        below: The stage that it starts from; empty where it starts from an image.
        steps: What is done.
    """

    name: str
    base: Base | None
    below: str = ""
    steps: tuple[Step, ...] = ()

    def needs(self) -> Iterator[str]:
        """The stages that must be built before."""
        if self.below:
            yield self.below
        for step in self.steps:
            if isinstance(step, Copy) and step.stage:
                yield step.stage
            if isinstance(step, Run):
                yield from (bound.stage for bound in step.bound if bound.stage)


@dataclass(frozen=True)
class Recipe:
    """How an image is built here.

    Attributes:
        build: The `build` of the service.
        stages: The stages that are needed, each after those that it needs; the last is the image.
        accounts: The users and groups of all stages.
    """

    build: Build
    stages: tuple[Stage, ...]
    accounts: Accounts = field(default_factory=Accounts)
