"""Each service before addresses are known: what would run, in what environment, from what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.plan.model import Runtime
from stackproof.plan.services.dockerfile import Image, read_dockerfile
from stackproof.plan.services.extension import Extension, location, read_extension
from stackproof.plan.services.known_images import NATIVE, KnownImage, recognise
from stackproof.plan.services.projects import find_lock, source_roots
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Build, Service, StackFile
from stackproof.stack_file.regular_files import read_text_file, shown_path

NOT_INHERITED = frozenset({"PATH", "VIRTUAL_ENV", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT"})
"""Variables of an image that describe the image's own file system."""

_WRAPPERS = (("tini", "--"), ("dumb-init", "--"), ("tini",), ("dumb-init",))
_RUNNERS = (("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("pdm", "run"))
_PROGRAM = re.compile(r"^/(?:\S+/)?bin/(?P<name>[^/\s]+)$")


@dataclass(frozen=True)
class Draft:
    """One service as the stack file, its Dockerfile and the settings have it, untranslated.

    Attributes:
        service: The service of the stack file.
        extension: Its `x-stackproof`.
        known: The image that is run natively; None for a project.
        image: What its Dockerfile says; None without one.
        runtime: How the process engine runs it; None for the compose engine.
        argv: What would run; empty for a known image that gets no arguments.
        environment: The whole environment.
        notices: What a person should know about it.
    """

    service: Service
    extension: Extension
    known: KnownImage | None
    image: Image | None
    runtime: Runtime | None
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    notices: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of the service."""
        return self.service.name


def make_draft(settings: Settings, stack_file: StackFile, service: Service, engine: str) -> Draft:
    """Read what there is to know about a service.

    Args:
        settings: The settings.
        stack_file: The stack file.
        service: One of its services.
        engine: `process` or `compose`.

    Raises:
        ConfigError: If the process engine can't run it, with what it could run.
    """
    extension = read_extension(stack_file, service)
    overrides = settings.environment.get(service.name, {})
    if engine != "process":
        argv = (*(service.entrypoint or ()), *(service.command or ()))
        environment = {**service.environment, **overrides}
        known = recognise(service.image) if service.image and service.build is None else None
        return Draft(service, extension, known, None, None, argv, environment)
    image = read_image(stack_file, service)
    known = _known(service, image, extension)
    runtime, notices = _runtime(settings, stack_file, service, extension, known)
    inherited = {
        name: value
        for name, value in (image.environment if image else {}).items()
        if name not in NOT_INHERITED
    }
    return Draft(
        service=service,
        extension=extension,
        known=known,
        image=image,
        runtime=runtime,
        argv=_argv(stack_file, service, extension, image, known),
        environment={**inherited, **service.environment, **overrides, **extension.environment},
        notices=(*notices, *_image_notices(service, image, known)),
    )


def read_image(stack_file: StackFile, service: Service) -> Image | None:
    """What the Dockerfile of a service says; None where it is not built.

    Raises:
        ConfigError: If it can't be read.
    """
    build = service.build
    if build is None:
        return None
    path = build.context / build.dockerfile
    place = location(stack_file, f"services.{service.name}.build")
    try:
        inline = build.dockerfile_inline
        text = read_text_file(path, errors="replace") if inline is None else inline
        return read_dockerfile(text, target=build.target, arguments=build.args)
    except ConfigError as error:
        raise ConfigError(
            error.what,
            source=place.source if place else None,
            line=place.line if place else None,
            key=f"services.{service.name}.build",
            remedy=error.remedy,
        ) from None
    except OSError as error:
        raise ConfigError(
            "the Dockerfile can't be read",
            source=place.source if place else None,
            line=place.line if place else None,
            key=f"services.{service.name}.build",
            observed=f"{shown_path(path)}: {error.strerror}",
            remedy="correct `context` or `dockerfile`",
        ) from error


def _known(service: Service, image: Image | None, extension: Extension) -> KnownImage | None:
    if extension.project is not None or extension.own_environment:
        return None
    if image is not None:
        return recognise(image.base) if image.base else None
    return recognise(service.image) if service.image else None


def _runtime(
    settings: Settings,
    stack_file: StackFile,
    service: Service,
    extension: Extension,
    known: KnownImage | None,
) -> tuple[Runtime, list[str]]:
    if known is not None:
        family = "redis" if known.name == "valkey" else known.name
        bindir = (
            _strong_bindir(settings, family) or extension.bindir or settings.servers.get(family)
        )
        return Runtime("image", image=known.name, version=known.version, bindir=bindir), []
    named = extension.project or extension.command or extension.own_environment
    if service.build is None and not named:
        raise _not_native(stack_file, service)
    project = extension.project or _context(service.build) or stack_file.project_directory
    if not project.is_dir():
        place = location(stack_file, f"services.{service.name}.build")
        raise ConfigError(
            f"there is no folder {project}",
            source=place.source if place else None,
            line=place.line if place else None,
            key=f"services.{service.name}",
            remedy="correct `build.context` or `x-stackproof.project`",
        )
    lock = None if extension.own_environment else extension.lock or find_lock(project)
    runtime = Runtime(
        "project",
        project=project,
        lock=lock,
        source_roots=extension.source or source_roots(project),
        python=extension.python,
        own_environment=extension.own_environment,
    )
    return runtime, _project_notices(service, runtime)


def _strong_bindir(settings: Settings, family: str) -> Path | None:
    """A folder from the environment or `.env.integration`, which beats the stack file's."""
    origin = settings.origin(("servers", family)).name
    return settings.servers.get(family) if origin.startswith((".env", "environment")) else None


def _context(build: Build | None) -> Path | None:
    return None if build is None else build.context


def _not_native(stack_file: StackFile, service: Service) -> ConfigError:
    place = location(stack_file, f"services.{service.name}.image")
    return ConfigError(
        f"the process engine can't run the image {service.image!r}",
        source=place.source if place else None,
        line=place.line if place else None,
        key=f"services.{service.name}.image",
        observed=f"it runs {NATIVE}, and services with `build:`",
        remedy="use --engine compose, or say how to run it here: `x-stackproof` with `command` "
        f"(and `project`) under {service.name}",
    )


def _project_notices(service: Service, runtime: Runtime) -> list[str]:
    if runtime.own_environment or runtime.project is None or runtime.lock is not None:
        return []
    if (runtime.project / "pyproject.toml").is_file():
        text = (
            "dependencies are not locked; they are taken from pyproject.toml as the index has "
            "them now (write a requirements.txt with hashes)"
        )
    else:
        text = (
            f"{runtime.project} has no requirements.txt and no pyproject.toml; its command runs "
            "with what this machine has"
        )
    return [f"{service.name}: {text}"]


def _image_notices(service: Service, image: Image | None, known: KnownImage | None) -> list[str]:
    if image is not None and known is not None:
        return [f"{service.name}: its Dockerfile is not built; {image.base} is run instead"]
    return []


def _argv(
    stack_file: StackFile,
    service: Service,
    extension: Extension,
    image: Image | None,
    known: KnownImage | None,
) -> tuple[str, ...]:
    if extension.command is not None:
        return extension.command
    if known is not None:
        return (*(service.entrypoint or ()), *(service.command or ()))
    entrypoint, command = service.entrypoint, service.command
    if entrypoint is None and image is not None:
        entrypoint = image.entrypoint
        command = image.command if command is None else command
    argv = (*(entrypoint or ()), *(command or ()))
    if argv:
        return argv
    place = location(stack_file, f"services.{service.name}")
    raise ConfigError(
        "no command",
        source=place.source if place else None,
        line=place.line if place else None,
        key=f"services.{service.name}.command",
        observed="neither the stack file nor the last stage of its Dockerfile has a command",
        remedy="add `command`",
    )


def local_command(argv: tuple[str, ...]) -> tuple[str, ...]:
    """A command without what only an image has: init wrappers, project runners, `/…/bin/` paths.

    `uv run uvicorn …` becomes `uvicorn …`, since the service's own virtualenv is on its PATH.
    """
    words = argv
    if (
        words
        and (match := _PROGRAM.match(words[0]))
        and not words[0].startswith(("/bin/", "/usr/bin/"))
    ):
        words = (match["name"], *words[1:])
    for prefix in _WRAPPERS:
        if words[0].rsplit("/", 1)[-1] == prefix[0] and words[1 : len(prefix)] == prefix[1:]:
            words = words[len(prefix) :] or words
            break
    for prefix in _RUNNERS:
        if words[:2] == prefix and len(words) > 2 and not words[2].startswith("-"):  # noqa: PLR2004 - two words
            return words[2:]
    return words
