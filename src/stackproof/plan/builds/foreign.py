"""What an image of Python copies from stages of other languages, such as a front end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from stackproof.plan.addressing.commands import shell_commands
from stackproof.plan.builds.model import Base, Copy, Recipe, Run, Stage
from stackproof.plan.builds.reading import ReadBuild, needed

TOGETHER = "what is copied"
"""Name of the stage that everything is copied to; no stage of a Dockerfile has blanks in it."""


def foreign_recipe(read: ReadBuild) -> Recipe | None:
    """How the stages of other languages are built whose files an image gets; None without any.

    Args:
        read: What the Dockerfile says.
    """
    stages = {stage.name: stage for stage in read.recipe.stages}
    last = read.recipe.stages[-1]
    copies = tuple(
        step for step in _all_steps(stages, last)
        if isinstance(step, Copy) and step.stage and _is_foreign(read, stages, step.stage)
    )  # fmt: skip
    if not copies:
        return None
    stages[TOGETHER] = Stage(TOGETHER, Base("scratch"), steps=copies)
    return replace(read.recipe, stages=tuple(needed(stages, TOGETHER)))


def _all_steps(stages: Mapping[str, Stage], stage: Stage) -> Iterator[object]:
    if stage.below:
        yield from _all_steps(stages, stages[stage.below])
    yield from stage.steps


def _is_foreign(read: ReadBuild, stages: Mapping[str, Stage], name: str) -> bool:
    """Whether a stage starts from a toolchain, and all of it can be done."""
    lowest = stages[name]
    while lowest.below:
        lowest = stages[lowest.below]
    is_toolchain = lowest.base is not None and lowest.base.kind not in {"system", "nginx"}
    return is_toolchain and not any(read.told.get(one.name) for one in needed(stages, name))


def commands_of(recipe: Recipe) -> frozenset[str]:
    """The commands that its stages run, each as one text."""
    return frozenset(
        " ".join(words)
        for stage in recipe.stages
        for step in stage.steps
        if isinstance(step, Run)
        for words in shell_commands(step.argv[-1])
    )


def packages_of_stages(recipe: Recipe) -> frozenset[str]:
    """The packages of the system that its stages install."""
    steps = (step for stage in recipe.stages for step in stage.steps)
    return frozenset(name for step in steps if isinstance(step, Run) for name in step.packages)
