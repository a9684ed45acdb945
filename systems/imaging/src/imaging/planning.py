"""Turns a draft into the stages that make its image, with the request of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from imaging.state import Draft

Payload = dict[str, Any]
"""The JSON body of a request to the image API, without the image that the stage works on."""

SIDE_STEP = 8  # pixels; the model's images are made of blocks of this size
MOST_STEPS = 150

UPSCALER = "R-ESRGAN 4x+"
DETAILER_MODEL = "face_yolov8n.pt"
DETAILER_DENOISING = 0.3


class PlanError(Exception):
    """A draft can't be made into an image."""


class Stage(StrEnum):
    """The stages in the order in which they run."""

    TXT2IMG = "txt2img"
    UPSCALE = "upscale"
    DETAILER = "detailer"


@dataclass(frozen=True)
class PlannedStage:
    """One stage and its request."""

    stage: Stage
    payload: Payload


@dataclass(frozen=True)
class Plan:
    """The stages of a job, in order."""

    stages: tuple[PlannedStage, ...]

    @property
    def flags(self) -> dict[str, bool]:
        """Which stages there are."""
        present = {one.stage for one in self.stages}
        return {str(stage): stage in present for stage in Stage}

    @property
    def summary(self) -> str:
        """The plan in one line, such as `txt2img + upscale, 256x256, 5 steps: a lighthouse`."""
        first = self.stages[0].payload
        names = " + ".join(one.stage for one in self.stages)
        size = f"{first['width']}x{first['height']}"
        return f"{names}, {size}, {first['steps']} steps: {first['prompt']}"

    def to_json(self) -> list[dict[str, Any]]:
        """The plan as JSON has it."""
        return [asdict(one) for one in self.stages]

    @classmethod
    def from_json(cls, stages: list[dict[str, Any]]) -> Plan:
        """The plan that `to_json` gave."""
        return cls(tuple(PlannedStage(Stage(one["stage"]), one["payload"]) for one in stages))


def make_plan(draft: Draft, prompt: str) -> Plan:
    """Plan the stages of a draft.

    Raises:
        PlanError: If the draft can't be made into an image, with the reason.
    """
    wanted = _stages(draft)
    _check(draft, prompt)
    return Plan(tuple(PlannedStage(stage, _payload(stage, draft, prompt)) for stage in wanted))


def _stages(draft: Draft) -> list[Stage]:
    unknown = sorted(set(draft.stages) - set(Stage))
    if unknown:
        raise PlanError(f"unknown stage {unknown[0]!r}; there are {', '.join(Stage)}")
    if Stage.TXT2IMG not in draft.stages:
        raise PlanError("without txt2img there is no image for the other stages to work on")
    return [stage for stage in Stage if stage in draft.stages]


def _check(draft: Draft, prompt: str) -> None:
    if not prompt.strip():
        raise PlanError("the prompt is empty")
    for side in (draft.width, draft.height):
        if side <= 0 or side % SIDE_STEP:
            raise PlanError(f"a side of {side} pixels is no positive multiple of {SIDE_STEP}")
    if not 1 <= draft.steps <= MOST_STEPS:
        raise PlanError(f"{draft.steps} steps are not between 1 and {MOST_STEPS}")
    if draft.upscale_by <= 1:
        raise PlanError(f"upscaling by {draft.upscale_by:g} does not make the image larger")


def _payload(stage: Stage, draft: Draft, prompt: str) -> Payload:
    if stage is Stage.UPSCALE:
        return {"upscaling_resize": draft.upscale_by, "upscaler_1": UPSCALER}
    grown = draft.upscale_by if Stage.UPSCALE in draft.stages else 1
    scale = grown if stage is Stage.DETAILER else 1
    payload: Payload = {
        "prompt": prompt,
        "negative_prompt": draft.negative_prompt,
        "width": int(draft.width * scale),
        "height": int(draft.height * scale),
        "steps": draft.steps,
    }
    if stage is Stage.DETAILER:
        payload["denoising_strength"] = DETAILER_DENOISING
        payload["alwayson_scripts"] = {"ADetailer": {"args": [{"ad_model": DETAILER_MODEL}]}}
    return payload
