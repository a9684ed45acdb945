"""Each service before addresses are known: what would run, in what environment, from what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import shorten

from stackproof.errors import ConfigError, Mistakes
from stackproof.plan.runtime import Runtime
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.plan.services.extension import Extension, read_extension
from stackproof.plan.services.image_defaults import checked_by_another, with_defaults
from stackproof.plan.services.known_images import KnownImage, recognise
from stackproof.plan.services.own_builds import (
    dockerfile_text,
    foreign_build,
    own_build,
    refuse_builds,
    refuse_builds_of_host_world,
    shown_dockerfile,
)
from stackproof.plan.services.runtimes import (
    Parts,
    PlannedRuntime,
    built_here,
    plan_runtime,
    refusal_of_images,
)
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Service, StackFile

NOT_INHERITED = frozenset({"PATH", "VIRTUAL_ENV", "PYTHONHOME", "UV_PROJECT_ENVIRONMENT"})
"""Variables of an image that describe the image's own file system."""

LONGEST = 60
"""Letters of a command that a notice shows."""

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
    known = _known(service, image, extension, settings)
    built = own_build(stack_file, service, extension, image, settings.images)
    if built is not None:
        image, known = built.image, None
        planned = PlannedRuntime(built_here(built))
    else:
        foreign = None if known else foreign_build(stack_file, service, image)
        parts = Parts(service, extension, image, known, foreign)
        planned = plan_runtime(settings, stack_file, parts)
    inherited = {
        name: value
        for name, value in (image.environment if image else {}).items()
        if built is not None or name not in NOT_INHERITED
    }
    return Draft(
        service=with_defaults(stack_file, service, image),
        extension=extension,
        known=known,
        image=image,
        runtime=planned.runtime,
        argv=_argv(stack_file, service, extension, image, known),
        environment={**inherited, **service.environment, **overrides, **extension.environment},
        notices=(
            *planned.notices,
            *_image_notices(service, image, known),
            *checked_by_another(service, extension, image),
        ),
    )


def refuse_unknown_images(
    settings: Settings, stack_file: StackFile, services: Sequence[Service]
) -> None:
    """Refuse services that the process engine can't run, all of them at once.

    Args:
        settings: The settings.
        stack_file: Where they stand.
        services: The services of a plan.

    Raises:
        ConfigError: With each of them, its image and its place.
    """
    mistakes = Mistakes()
    refused, read = [], []
    for service in services:
        with mistakes.noted():
            extension = read_extension(stack_file, service)
            is_named = extension.project or extension.command or extension.own_environment
            if not (service.build or is_named or _known(service, None, extension, settings)):
                refused.append(service)
                continue
            image = read_image(stack_file, service)
            built = own_build(stack_file, service, extension, image, settings.images)
            if built is not None:
                read.append((service, built))
    if refused:
        mistakes.found.insert(0, refusal_of_images(stack_file, refused))
    for part in [[one] for one in read] if mistakes.found else [read]:
        with mistakes.noted():
            refuse_builds(stack_file, part)
    mistakes.refuse()


def refuse_images_with_files(stack_file: StackFile, drafts: Sequence[Draft]) -> None:
    """Refuse services of the host world whose images have files at paths of their own.

    Args:
        stack_file: Where they stand.
        drafts: The services of a plan.

    Raises:
        ConfigError: With each of them.
    """
    built = [draft.name for draft in drafts if draft.runtime and draft.runtime.kind == "build"]
    if built:
        raise refuse_builds_of_host_world(stack_file, built)
    found = [draft for draft in drafts if draft.known is not None and draft.known.has_files]
    if found:
        names = ", ".join(draft.name for draft in found)
        raise stack_file.refusal(
            f"services.{found[0].name}.{'build' if found[0].service.build else 'image'}",
            f"{names} can run in a private world alone",
            observed="its configuration names paths, ports and peers as its container sees them",
            remedy="remove `world: host` (where this machine allows no private world, `invoke "
            "doctor` says why), or use --engine compose",
        )


def with_shared_builds(stack_file: StackFile, services: Sequence[Service]) -> list[Service]:
    """The services, each with the build of another one whose image it runs.

    Args:
        stack_file: Where they stand.
        services: The services of a plan.
    """
    builds = {
        service.image.removesuffix(":latest"): service.build
        for service in stack_file.services.values()
        if service.build is not None and service.image
    }
    return [
        replace(
            service,
            build=service.build or builds.get((service.image or "").removesuffix(":latest")),
        )
        for service in services
    ]


def read_image(stack_file: StackFile, service: Service) -> Image | None:
    """What the Dockerfile of a service says; None where it is not built.

    Raises:
        ConfigError: If it can't be read.
    """
    build = service.build
    if build is None:
        return None
    text = dockerfile_text(stack_file, service, build)
    try:
        return read_dockerfile(text, target=build.target, arguments=build.args)
    except ConfigError as error:
        key = f"services.{service.name}.build"
        observed = f"{shown_dockerfile(service)}, {error.observed}" if error.observed else ""
        raise stack_file.refusal(key, error.what, observed=observed, remedy=error.remedy) from None


def _known(
    service: Service, image: Image | None, extension: Extension, settings: Settings
) -> KnownImage | None:
    if extension.project is not None or extension.own_environment:
        return None
    if image is not None:
        return recognise(image.base, settings.images) if image.base else None
    return recognise(service.image, settings.images) if service.image else None


def _image_notices(service: Service, image: Image | None, known: KnownImage | None) -> list[str]:
    if image is None or known is None:
        return []
    if not known.has_files:
        return [f"{service.name}: its Dockerfile is not built; {image.base} is run instead"]
    return [
        f"{service.name}: not done here from its Dockerfile: `RUN {text}`"
        for text in (shorten(run.text, LONGEST, placeholder="…") for run in image.runs)
    ]


def _argv(
    stack_file: StackFile,
    service: Service,
    extension: Extension,
    image: Image | None,
    known: KnownImage | None,
) -> tuple[str, ...]:
    if extension.command is not None:
        return extension.command
    if known is not None and not known.has_files:
        return (*(service.entrypoint or ()), *(service.command or ()))
    entrypoint, command = service.entrypoint, service.command
    if entrypoint is None and image is not None:
        entrypoint = image.entrypoint
        command = image.command if command is None else command
    argv = (*(entrypoint or ()), *(command or ()))
    if argv or known is not None:
        return argv
    base = f"; that of its base image {image.base} can't be read here" if image is not None else ""
    raise stack_file.refusal(
        f"services.{service.name}.command",
        f"{service.name} has no command",
        observed=f"neither the stack file nor the last stage of its Dockerfile has one{base}",
        remedy="add `command`; or use --engine compose, where the image has one",
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
