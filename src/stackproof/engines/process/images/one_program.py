"""Servers that are one program with the files of its image: what each is, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server
from stackproof.engines.process.images.packaged import Program, WithoutData, library_path
from stackproof.engines.process.images.unprivileged import private_folder
from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.reaper.run_folder import RunFolder
from stackproof.settings.native import NativeProgram


@dataclass(frozen=True)
class Image:
    """What an image is beside its program.

    Attributes:
        program: The program.
        usual: Its arguments where the stack file has no command.
        takes_options: Whether its entrypoint is the program, so that a command has options alone.
        environment: Variables of the image.
        files: Path to text of the image's files, which a Dockerfile or a mount may replace.
        folder: Working folder.
        users: Further users of the image.
    """

    program: Program
    usual: tuple[str, ...]
    takes_options: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    users: Mapping[str, int] = field(default_factory=dict)


class OneProgram(WithoutData):
    """An image of one program without its container, in a private world.

    Args:
        image: What it is.
    """

    def __init__(self, image: Image) -> None:
        self.image = image
        self.program = image.program
        self.product = image.program.product
        self.sources = image.program.sources

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Lay out what the image has; what a Dockerfile or a mount adds lies over it.

        Raises:
            ConfigError: If its command runs something else, or what can't be honoured.
        """
        if service.world is None:
            raise AssertionError(f"{service.name} was planned for the host world")
        root = self.program.root(server, cache, runner)
        given = self._arguments(service)
        return Launch(
            argv=(str(server.bindir / self.program.name), *given),
            env={**library_path(root), **_unset(self.image.environment, service.environment)},
            cwd=Path(self.image.folder),
            image_files=self._files(private_folder(run, service.name, None)),
            users=self.image.users,
            is_of_image=True,
        )

    def _arguments(self, service: ServicePlan) -> tuple[str, ...]:
        name = self.program.name
        given = server_arguments(service.argv, service.environment, (name,))
        names_program = any(
            word.rsplit("/", 1)[-1] == name for word in " ".join(service.argv).split()
        )
        if not service.argv:
            return self.image.usual
        if names_program or (self.image.takes_options and given[:1] and given[0].startswith("-")):
            return given
        raise ConfigError(
            f"the command of {service.name} does not run {name}",
            key=f"services.{service.name}.command",
            observed=" ".join(service.argv),
            remedy=f"remove the command, or let it begin with `{name}`",
        )

    def _files(self, place: Path) -> dict[str, Path]:
        found = {}
        for number, (target, text) in enumerate(self.image.files.items()):
            folder, name = target.rsplit("/", 1)
            own = place / str(number)
            own.mkdir(exist_ok=True)
            (own / name).write_text(text, encoding="utf-8")
            for path in (own, own / name):
                path.chmod(0o755 if path.is_dir() else 0o644)
            found[folder] = own
        place.chmod(0o755)
        return found


def of_config(native: NativeProgram) -> OneProgram:
    """The image of a program that a stack config names."""
    name = native.program
    program = Program(
        name, name, native.folder, native.debian, name, native.version, wheel=native.wheel
    )
    return OneProgram(Image(program, usual=native.command))


def _unset(of_image: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The image's variables that the service does not set itself."""
    return {name: value for name, value in of_image.items() if name not in own}
