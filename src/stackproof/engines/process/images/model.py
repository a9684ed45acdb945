"""What running a known image natively is made of: steps, a server, and how to launch it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stackproof.errors import StackproofError
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.reaper.run_folder import RunFolder


@dataclass(frozen=True)
class Step:
    """A command that prepares a start; the engine runs it, so that nothing outlives a killed owner.

    Attributes:
        name: What it does, for people.
        argv: The command; its program is an absolute path or found on the system's PATH.
        env: Variables beside the engine's own.
        cwd: Folder to run in; None for the engine's choice.
        uid: Numeric user and group to run as; None for the caller's.
        stdin: What it reads.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    uid: int | None = None
    stdin: str | None = None


Runner = Callable[[Step], None]
"""Runs a step to its end; raises CommandFailed if it fails."""


def no_steps(step: Step) -> None:
    """A runner for looking alone: it refuses to run anything."""
    raise StackproofError(f"not prepared yet: {step.name}")


@dataclass(frozen=True)
class Server:
    """The programs of a server, found on this machine.

    Attributes:
        name: What it calls itself, such as `PostgreSQL` or `Valkey`.
        bindir: Folder of its programs.
        version: Its version, such as `16.14`.
        origin: Where it was found, in words.
        notices: What a person should know, such as that it stands in for another one.
    """

    name: str
    bindir: Path
    version: str
    origin: str
    notices: tuple[str, ...] = ()

    @property
    def major(self) -> str:
        """The part of the version before the first dot."""
        return self.version.partition(".")[0]

    @property
    def description(self) -> str:
        """What runs and where it is from, in one line."""
        return "; ".join([f"{self.name} {self.version} ({self.origin})", *self.notices])


@dataclass(frozen=True)
class Launch:
    """How to start a server whose data folder is ready.

    Attributes:
        argv: Program (absolute path) and arguments.
        env: Variables beside those of the service.
        cwd: Folder to start in.
        uid: Numeric user and group to run as; None for the caller's.
        socket: The Unix socket that it listens on in place of its port; None where it listens on
            the port itself.
        notices: What a person should know of this start.
        image_files: Path in its room → folder that stands for what its image has there; what a
            Dockerfile adds lies over it.
        seen: Path in its room → folder of this machine, which lies over what the image has.
        users: Users that its image has, beside the usual ones: name → number.
        is_of_image: Whether it runs there as the user of its image, which may be root.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    uid: int | None = None
    socket: Path | None = None
    notices: tuple[str, ...] = ()
    image_files: Mapping[str, Path] = field(default_factory=dict)
    seen: Mapping[str, Path] = field(default_factory=dict)
    users: Mapping[str, int] = field(default_factory=dict)
    is_of_image: bool = False


class NativeImage(Protocol):
    """A known image without its container.

    Attributes:
        product: What runs it, for people.
        sources: Where its programs are looked for, in this order, in words.
    """

    product: str
    sources: str

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:
        """Find the programs.

        Raises:
            EngineUnavailable: If there are none that fit, with each place that was looked at.
        """

    def data_fault(self, folder: Path, server: Server) -> str:
        """Why a server can't go on with the data in a folder; empty where it can."""

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Make the data folder, and say how to start the server on it.

        Raises:
            CommandFailed: If a step fails.
            ConfigError: If the environment of the service lacks what the image needs.
        """
