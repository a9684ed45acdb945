"""How the process engine runs a service: a known image or a Python project; refuses the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.errors import ConfigError
from stackproof.plan.builds.foreign import commands_of, packages_of_stages
from stackproof.plan.builds.model import Recipe
from stackproof.plan.builds.reading import ReadBuild
from stackproof.plan.python.installs import ReadInstalls, read_installs
from stackproof.plan.python.projects import find_lock, is_project, source_roots, static_metadata
from stackproof.plan.python.requirements import read_requirements
from stackproof.plan.python.versions import brings_packages, is_python_image, python_version
from stackproof.plan.runtime import Install, LocalProject, Runtime
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.database_extensions import database_extensions
from stackproof.plan.services.extension import Extension
from stackproof.plan.services.known_images import NATIVE, KnownImage, why_unknown
from stackproof.settings.model import Settings
from stackproof.stack_file.model import Service, StackFile

PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")

FAMILIES = {"valkey": "redis", "mysql": "mariadb"}
"""Images that the servers of another one can run: what settings call them."""

LONGEST_COMMAND = 60
"""Characters that a notice shows of a command."""


@dataclass(frozen=True)
class Parts:
    """What is known of a service before it is decided how it runs."""

    service: Service
    extension: Extension
    image: Image | None
    known: KnownImage | None
    foreign: Recipe | None = None


@dataclass(frozen=True)
class PlannedRuntime:
    """How a service runs, and what a person should know about it."""

    runtime: Runtime
    notices: tuple[str, ...] = ()


def refusal_of_images(stack_file: StackFile, services: Sequence[Service]) -> ConfigError:
    """The error for images that the process engine can't run: all of them at once.

    Args:
        stack_file: Where they stand.
        services: The services that have them.
    """
    first = services[0]
    key = f"services.{first.name}.image"
    observed = [f"it runs {NATIVE}, and services with `build:`"]
    if len(services) == 1:
        what = f"the process engine can't run the image {first.image!r}"
        why = why_unknown(first.image or "")
        told = "; ".join(filter(None, (why, observed[0])))
        return stack_file.refusal(key, what, observed=told, remedy=_remedy([first.name]))
    for service in services:
        place = stack_file.location(f"services.{service.name}.image")
        where = f" ({place.source}:{place.line})" if place else ""
        why = why_unknown(service.image or "")
        observed.insert(-1, f"{service.name}: {service.image}{where}{why and f'; {why}'}")
    return stack_file.refusal(
        key,
        f"the process engine can't run the images of {len(services)} services",
        observed="\n".join(observed),
        remedy=_remedy([service.name for service in services]),
    )


def _remedy(names: Sequence[str]) -> str:
    return (
        f"use --engine compose, or leave out what is not needed (`--without {','.join(names)}`), "
        "or add how to run it here: `x-stackproof` with `command` (and `project`) under "
        f"{', '.join(names)}"
    )


def plan_runtime(settings: Settings, stack_file: StackFile, parts: Parts) -> PlannedRuntime:
    """How a service runs.

    Args:
        settings: The settings.
        stack_file: Where it stands.
        parts: What is known of it.

    Raises:
        ConfigError: If the process engine can't run it.
    """
    known, extension = parts.known, parts.extension
    if known is not None:
        family = FAMILIES.get(known.name, known.name)
        bindir = (
            _strong_bindir(settings, family) or extension.bindir or settings.servers.get(family)
        )
        runtime = Runtime(
            "image",
            image=known.name,
            version=known.version,
            variant=known.variant,
            extensions=database_extensions(stack_file) if family == "postgres" else (),
            bindir=bindir,
            native=known.native,
        )
        return PlannedRuntime(runtime)
    service = parts.service
    context = service.build.context if service.build else None
    project = extension.project or context or stack_file.project_directory
    if not project.is_dir():
        key = "x-stackproof.project" if extension.project else "build"
        raise stack_file.refusal(
            f"services.{service.name}.{key}",
            f"there is no folder {project}",
            remedy="correct `build.context` or `x-stackproof.project`",
        )
    if extension.lock is not None and not extension.lock.is_file():
        raise stack_file.refusal(
            f"services.{service.name}.x-stackproof.lock",
            f"there is no file {extension.lock}",
            remedy="correct the path, or remove `lock` to install what the Dockerfile installs",
        )
    if extension.own_environment:
        roots = extension.source or source_roots(project)
        return PlannedRuntime(
            Runtime("project", project=project, source_roots=roots, own_environment=True)
        )
    return _python_runtime(parts, project)


def built_here(built: ReadBuild) -> Runtime:
    """How a service runs that stackproof builds."""
    build = built.recipe.build
    dockerfile = build.context / build.dockerfile
    files = () if build.dockerfile_inline is not None else (dockerfile,)
    return Runtime("build", project=build.context, files=files, recipe=built.recipe)


def _strong_bindir(settings: Settings, family: str) -> Path | None:
    """A folder from the environment or `.env.integration`, which beats the stack file's."""
    origin = settings.origin(("servers", family)).name
    return settings.servers.get(family) if origin.startswith((".env", "environment")) else None


def _python_runtime(parts: Parts, project: Path) -> PlannedRuntime:
    image, extension = parts.image, parts.extension
    context = parts.service.build.context if parts.service.build else project
    read = read_installs(image, context) if image else ReadInstalls()
    if parts.foreign is not None:
        read.leave_out(commands_of(parts.foreign), packages_of_stages(parts.foreign))
    named = _install_of(extension.lock) if extension.lock else None
    if named is not None:
        installed = [project for install in read.installs for project in install.projects]
        named = Install(named.tool, named.written, files=named.files, lock=named.lock)
        installs = [named, *(_only_project(project) for project in installed)]
    else:
        installs = read.installs or list(_declared(project))
    python = python_version(extension, image, project)
    roots = [*(extension.source or source_roots(project))]
    roots += [
        root
        for install in installs
        for local in install.projects
        if local.is_installed and local.folder != project
        for root in source_roots(local.folder)
    ]
    runtime = Runtime(
        "project",
        project=project,
        installs=tuple(installs),
        files=tuple(dict.fromkeys(path for install in installs for path in _files(install))),
        source_roots=tuple(dict.fromkeys(roots)),
        python=python.request,
        python_source=python.source,
        has_base_packages=bool(
            image and not read.makes_virtualenv and any(map(is_python_image, _bases(image)))
        ),
        recipe=parts.foreign,
    )
    return PlannedRuntime(runtime, tuple(_notices(parts, runtime, read)))


def _files(install: Install) -> Iterator[Path]:
    """Every file that says what is installed; those that can't be read are refused here."""
    for path in (*install.files, *install.constraints):
        yield from read_requirements(path).files
    if install.lock is not None:
        yield install.lock
    for project in install.projects:
        yield from (path for name in PROJECT_FILES if (path := project.folder / name).is_file())


def _bases(image: Image) -> tuple[str, ...]:
    return (image.base, *image.other_bases)


def _only_project(project: LocalProject) -> Install:
    """A project without what it needs, which the lock has."""
    return Install("pip", project.folder.name, projects=(project,), options=("--no-deps",))


def _install_of(lock: Path) -> Install:
    """The installation of a lock, or of a requirement file."""
    if lock.name == "uv.lock":
        only = ("--no-dev",)
        return Install("uv", lock.name, lock=lock, options=only)
    return Install("pip", lock.name, files=(lock,))


def _declared(project: Path) -> Iterator[Install]:
    """What a project declares by itself: its lock, else its pyproject.toml."""
    lock = find_lock(project)
    if lock is not None:
        yield _install_of(lock)
        if static_metadata(project) is not None:
            yield _only_project(LocalProject(project))
    elif is_project(project):
        yield Install("pip", "pyproject.toml", projects=(LocalProject(project),))


def _notices(parts: Parts, runtime: Runtime, read: ReadInstalls) -> Iterator[str]:
    name, base = parts.service.name, parts.image.base if parts.image else ""
    if not runtime.installs:
        yield (
            f"{name}: nothing is installed for it: {runtime.project} has no requirements.txt and "
            "no pyproject.toml"
            + (f"; its image {base} is not built" if base and not is_python_image(base) else "")
        )
    elif base and brings_packages(base):
        yield f"{name}: packages that its image {base} brings are not installed here"
    lost = [
        f"`{_cut(command)}`" + (f" ({why})" if why else "") for command, why in read.others.items()
    ]
    if read.system:
        lost.insert(0, f"system packages {', '.join(read.system)}")
    if lost:
        yield (
            f"{name}: not done here from its Dockerfile: {'; '.join(lost)} (what the service needs "
            "of it must be on this machine)"
        )


def _cut(command: str) -> str:
    return command if len(command) <= LONGEST_COMMAND else command[: LONGEST_COMMAND - 1] + "…"
