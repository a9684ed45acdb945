"""Runs the stages of a plan, one after the other: each works on the images of the one before."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from pathlib import Path

from imaging.client import ApiError, ImageApi
from imaging.jobs import StageResult
from imaging.planning import Payload, Plan, Stage


class StageFailed(Exception):
    """A stage could not be done; the message says which, and why."""


class Cancelled(Exception):
    """It was asked to end before the last stage was done."""


class CancelToken:
    """Lets one thread end what another one runs, at the next chance."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def cancel(self) -> None:
        """Ask for the end."""
        self._asked.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._asked.is_set()


class PipelineRunner:
    """Runs plans through the image API.

    Attributes:
        api: What makes the images.
        outputs: Where they are kept, in a folder for each job.
    """

    def __init__(self, api: ImageApi, outputs: Path) -> None:
        self.api = api
        self.outputs = outputs

    def run(
        self,
        job_id: str,
        plan: Plan,
        token: CancelToken,
        *,
        at_stage: Callable[[str], None],
        made: Callable[[StageResult], None],
    ) -> None:
        """Run all stages.

        Args:
            job_id: Names the folder of the images.
            plan: The stages.
            token: Ends the run early.
            at_stage: Told the name of each stage before it begins.
            made: Told what each stage has made, as soon as it has.

        Raises:
            StageFailed: If a stage can't be done.
            Cancelled: If the token ended it.
        """
        images: list[bytes] = []
        for number, planned in enumerate(plan.stages, start=1):
            if token.is_cancelled:
                raise Cancelled
            at_stage(planned.stage)
            where = f"{planned.stage} (stage {number} of {len(plan.stages)})"
            try:
                images = self._make(planned.stage, planned.payload, images)
            except ApiError as error:
                if token.is_cancelled:
                    raise Cancelled from error
                raise StageFailed(f"{where}: {error}") from error
            if token.is_cancelled:  # an interrupted stage may answer with a half-made image
                raise Cancelled
            made(StageResult(planned.stage, self._keep(job_id, number, planned.stage, images)))

    def interrupt(self) -> None:
        """End the stage that is being run now.

        Raises:
            ApiError: If the image API can't be asked.
        """
        self.api.interrupt()

    def _make(self, stage: Stage, payload: Payload, images: list[bytes]) -> list[bytes]:
        if stage is Stage.TXT2IMG:
            return self.api.txt2img(payload)
        encoded = [base64.b64encode(image).decode() for image in images]
        if stage is Stage.UPSCALE:
            answers = [self.api.upscale({**payload, "image": image}) for image in encoded]
            return [image for answer in answers for image in answer]
        return self.api.img2img({**payload, "init_images": encoded})

    def _keep(self, job_id: str, number: int, stage: Stage, images: list[bytes]) -> tuple[str, ...]:
        folder = self.outputs / job_id
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{number}-{stage}-{index}.png" for index in range(1, len(images) + 1)]
        for path, image in zip(paths, images, strict=True):
            path.write_bytes(image)
        return tuple(map(str, paths))
