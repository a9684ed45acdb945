"""What a room has of the image that was built for its service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.process.builds.caller import caller_of
from stackproof.engines.process.builds.images import Builder
from stackproof.engines.process.builds.names import users_of
from stackproof.engines.process.images import Runner
from stackproof.engines.process.world.furnishing import Furniture
from stackproof.plan.builds.model import Copy, Recipe
from stackproof.plan.model import ServicePlan
from stackproof.plan.services.built_stage import Copied
from stackproof.plan.world.copied import copied_layers
from stackproof.plan.world.model import World
from stackproof.reaper.run_folder import RunFolder


def with_built_files(service: ServicePlan, world: World, image: Furniture) -> World:
    """The world of a Python service with what its image copies from stages that were built.

    Args:
        service: The service.
        world: What it sees otherwise.
        image: What was built.
    """
    recipe = service.runtime.recipe if service.runtime else None
    steps = recipe.stages[-1].steps if recipe else ()
    copied = [step for step in steps if isinstance(step, Copy)]
    layers = list(world.layers)
    for step, layer in zip(copied, image.image[-len(copied) :], strict=True):
        inside = step.target.lstrip("/") or "."
        for part, prefix in (("files", ""), ("parts/usr", "usr/")):
            if inside.startswith(prefix):
                found = [Copied(inside[len(prefix) :] or ".", step.target, into=False)]
                layers += copied_layers(Path(layer, part), found, _as_it_is)
    return replace(world, layers=tuple(layers))


def _as_it_is(_owner: str) -> tuple[int, int]:
    return (0, 0)


def built_furniture(
    service: str,
    recipe: Recipe,
    run: RunFolder,
    cache: Path,
    runner: Runner,
    environment: Mapping[str, str],
    say: Say,
) -> Furniture:
    """Build the image of a service.

    Args:
        service: Name of the service.
        recipe: How it is built.
        run: The run, which holds what is being made.
        cache: The configured cache folder.
        runner: Runs a preparation.
        environment: The caller's environment.
        say: Takes what a person should know.

    Raises:
        CommandFailed: If a step fails.
        EngineUnavailable: If a base, or a package, can't be had.
    """
    place = run.path / "builds" / service
    image = Builder(service, recipe, cache, place, runner, caller_of(environment)).build()
    for notice in image.notices:
        say(f"note: {notice}")
    return Furniture(image=tuple(map(str, image.layers)), users=users_of(recipe.accounts))
