"""Which services run what stackproof builds from their Dockerfiles, and what it can't build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stackproof.errors import ConfigError
from stackproof.plan.builds.bases import SUPPORTED, base_of, is_of_other_language
from stackproof.plan.builds.foreign import foreign_recipe
from stackproof.plan.builds.model import Recipe
from stackproof.plan.builds.reading import ReadBuild, read_build
from stackproof.plan.python.installs import read_installs
from stackproof.plan.python.projects import find_lock, is_project
from stackproof.plan.python.versions import is_python_image, version_of_image
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.extension import Extension
from stackproof.plan.services.known_images import KnownImage, recognise
from stackproof.settings.native import NativeProgram
from stackproof.stack_file.model import Build, Service, StackFile
from stackproof.stack_file.regular_files import read_text_file, shown_path

_PYTHON = re.compile(r"\b(?:python[\d.]*|gunicorn|uvicorn|hypercorn|celery|flask|streamlit)\b")


def dockerfile_text(stack_file: StackFile, service: Service, build: Build) -> str:
    """The Dockerfile of a service.

    Raises:
        ConfigError: If it can't be read.
    """
    if build.dockerfile_inline is not None:
        return build.dockerfile_inline
    path = build.context / build.dockerfile
    try:
        return read_text_file(path, errors="replace")
    except OSError as error:
        raise stack_file.refusal(
            f"services.{service.name}.build",
            "the Dockerfile can't be read",
            observed=f"{shown_path(path)}: {error.strerror}",
            remedy="correct `context` or `dockerfile`",
        ) from error


def own_build(
    stack_file: StackFile,
    service: Service,
    extension: Extension,
    image: Image | None,
    own: Mapping[str, NativeProgram],
) -> ReadBuild | None:
    """How stackproof builds a service; None for one that it runs otherwise.

    What starts from Python, or installs packages of it, runs in a virtualenv; so does what
    `x-stackproof` tells how to run. An image that runs natively is built where more is done than
    to copy into it: where nginx gets it, or other stages have made it.

    Args:
        stack_file: Where it stands.
        service: The service.
        extension: Its `x-stackproof`.
        image: What its Dockerfile says.
        own: The programs that the stack config names for images.
    """
    build = service.build
    if build is None or image is None or _is_told(extension):
        return None
    known = recognise(image.base, own)
    if known is not None and not _is_extended(known, image):
        return None
    if not build.context.is_dir() or (known is None and _is_python(image, build)):
        return None
    return read_build(build, dockerfile_text(stack_file, service, build))


def _is_extended(known: KnownImage, image: Image) -> bool:
    is_changed = bool(image.runs) or image.entrypoint is not None
    return known.has_files and (bool(image.other_bases) or (known.name == "nginx" and is_changed))


def foreign_build(stack_file: StackFile, service: Service, image: Image | None) -> Recipe | None:
    """How the stages of other languages are built that a Python service copies from.

    Args:
        stack_file: Where it stands.
        service: The service.
        image: What its Dockerfile says.
    """
    build = service.build
    if build is None or image is None or not image.other_bases or not build.context.is_dir():
        return None
    return foreign_recipe(read_build(build, dockerfile_text(stack_file, service, build)))


def _is_told(extension: Extension) -> bool:
    told = (extension.project, extension.lock, extension.source, extension.python)
    return any(told) or extension.command is not None or extension.own_environment


def _is_python(image: Image, build: Build) -> bool:
    """Whether it runs in a virtualenv; so does what starts from an image that nobody here knows."""
    bases = (image.base, *image.other_bases)
    if any(is_python_image(base) or version_of_image(base) for base in bases):
        return True
    known = base_of(image.base)
    if known is None or known.kind != "system":
        return known is None and not is_of_other_language(image.base)
    if read_installs(image, build.context).installs or _PYTHON.search(" ".join(image.argv)):
        return True
    is_alone = all((base := base_of(other)) and base.kind == "system" for other in bases[1:])
    return is_alone and (find_lock(build.context) is not None or is_project(build.context))


def refuse_builds(stack_file: StackFile, read: Sequence[tuple[Service, ReadBuild]]) -> None:
    """Refuse builds with instructions that can't be done here, all of them at once.

    Args:
        stack_file: Where the services stand.
        read: The services that stackproof builds, with their Dockerfiles.

    Raises:
        ConfigError: With each instruction.
    """
    refused = [(service, found) for service, found in read if found.refusals]
    if not refused:
        return
    names = ", ".join(service.name for service, _ in refused)
    observed = [
        f"{shown_dockerfile(service)}, {refusal}"
        for service, found in refused
        for refusal in dict.fromkeys(found.refusals)
    ]
    first, more = observed[0], len(observed) - 1
    observed.append(f"stages may start from Python, {SUPPORTED}")
    raise stack_file.refusal(
        f"services.{refused[0][0].name}.build",
        f"the process engine can't build {names}: {first}" + (f", and {more} more" if more else ""),
        observed="\n".join(observed),
        remedy="use --engine compose, leave it out by `services: {exclude: [...]}` in the stack "
        "config, or say how to run it here by `x-stackproof.command`",
    )


def shown_dockerfile(service: Service) -> str:
    """The Dockerfile of a service, as errors name it."""
    build = service.build
    if build is None or build.dockerfile_inline is not None:
        return f"`dockerfile_inline` of {service.name}"
    return shown_path(build.context / build.dockerfile)


def refuse_builds_of_host_world(stack_file: StackFile, names: Sequence[str]) -> ConfigError:
    """The error for services that are built here and have no private world.

    Args:
        stack_file: Where they stand.
        names: The services.
    """
    return stack_file.refusal(
        f"services.{names[0]}.build",
        f"{', '.join(names)} can run in a private world alone",
        observed="what is built from its Dockerfile lies at the paths of its image",
        remedy="remove `world: host` (where this machine allows no private world, `invoke "
        "doctor` says why), or use --engine compose",
    )
