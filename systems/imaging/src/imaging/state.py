"""What the user has set up so far: the draft of the next job, and the prompt packs to choose from.

The application owns one state and changes it freely; a job takes what it needs when it is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Draft:
    """The next job.

    Attributes:
        prompt: What to draw; not used where a pack is chosen.
        negative_prompt: What not to draw.
        pack_id: The prompt pack that the prompt comes from; None for a prompt typed by hand.
        stages: Names of the stages, in any order.
        width: Pixels of the first image.
        height: Same.
        steps: Sampling steps of each stage that samples.
        upscale_by: Factor of the upscale stage.
    """

    prompt: str = ""
    negative_prompt: str = ""
    pack_id: str | None = None
    stages: tuple[str, ...] = ("txt2img",)
    width: int = 256
    height: int = 256
    steps: int = 5
    upscale_by: float = 2.0


@dataclass
class AppState:
    """The state of the application.

    Attributes:
        draft: The next job.
        packs: Id of each prompt pack to its prompt.
        run_mode: What the plain Run button does.
    """

    draft: Draft = field(default_factory=Draft)
    packs: Mapping[str, str] = field(default_factory=dict)
    run_mode: Literal["direct", "queue"] = "queue"
