"""What stands for the image that a stage starts from: layers with its programs, made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from stackproof.engines.process.builds.go import go_layers
from stackproof.engines.process.builds.java import java_layers
from stackproof.engines.process.builds.nginx import nginx_layers
from stackproof.engines.process.builds.node import node_layers
from stackproof.engines.process.builds.php import php_layers
from stackproof.engines.process.builds.toolchain import Around, BaseLayers
from stackproof.engines.process.images import Runner
from stackproof.plan.builds.model import Run, Stage

_MAKERS: Mapping[str, Callable[[Around], BaseLayers]] = {
    "node": node_layers,
    "go": go_layers,
    "java": java_layers,
    "maven": java_layers,
    "gradle": java_layers,
    "php": php_layers,
    "nginx": nginx_layers,
}


def base_layers(stage: Stage, shelf: Path, cache: Path, runner: Runner) -> BaseLayers:
    """The layers below a stage.

    Args:
        stage: A stage that starts from an image.
        shelf: The folder of all layers.
        cache: The configured cache folder.
        runner: Runs a preparation.

    Raises:
        EngineUnavailable: If there is nothing of that version.
        CommandFailed: If it can't be fetched.
    """
    if stage.base is None:
        raise AssertionError(f"{stage.name} starts from another stage")
    make = _MAKERS.get(stage.base.kind)
    if make is None:
        return BaseLayers((), "system")
    text = "\n".join(step.written for step in stage.steps if isinstance(step, Run))
    return make(Around(stage.base, text, shelf, cache, runner))
