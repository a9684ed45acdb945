"""The nouns: a job as it is asked for, and as it is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from imaging.planning import Plan


class JobStatus(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens to the job any more."""
        return self not in {JobStatus.QUEUED, JobStatus.RUNNING}


class Priority(IntEnum):
    """A higher one goes first."""

    LOW = 0
    NORMAL = 1
    HIGH = 2


class RunMode(StrEnum):
    """A direct job goes ahead of all queued ones, and runs while the queue is paused."""

    DIRECT = "direct"
    QUEUE = "queue"


class PromptSource(StrEnum):
    """Where the prompt comes from."""

    MANUAL = "manual"
    PACK = "pack"


@dataclass(frozen=True)
class JobRequest:
    """A job as it is asked for.

    Attributes:
        plan: What is to be done.
        run_mode: Directly or in turn.
        source: Which entry point asked for it, such as `run_now`.
        prompt_source: Where the prompt comes from.
        prompt_pack_id: The prompt pack, where it comes from one.
        priority: Its rank among those of its run mode.
    """

    plan: Plan
    run_mode: RunMode
    source: str
    prompt_source: PromptSource = PromptSource.MANUAL
    prompt_pack_id: str | None = None
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True)
class StageResult:
    """What one stage has made; `outputs` are paths of image files."""

    stage: str
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class JobRecord:
    """A job as it is remembered; times are ISO 8601, UTC.

    Attributes:
        job_id: Its name.
        request: What was asked for.
        status: Where it stands.
        created_at: When it was asked for.
        started_at: When its first stage began; None while it waits.
        completed_at: When it became final, in whatever way.
        duration_ms: Time between the two; None where it is not known.
        current_stage: The stage that it is at, or was at when it ended otherwise than well.
        result: What each stage has made.
        error_message: Why it ended otherwise than well.
    """

    job_id: str
    request: JobRequest
    status: JobStatus
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    duration_ms: int | None = None
    current_stage: str | None = None
    result: tuple[StageResult, ...] = field(default=())
    error_message: str | None = None

    @property
    def run_mode(self) -> RunMode:
        """Directly or in turn."""
        return self.request.run_mode

    @property
    def source(self) -> str:
        """Which entry point asked for it."""
        return self.request.source

    @property
    def prompt_source(self) -> PromptSource:
        """Where the prompt comes from."""
        return self.request.prompt_source

    @property
    def prompt_pack_id(self) -> str | None:
        """The prompt pack, where the prompt comes from one."""
        return self.request.prompt_pack_id

    @property
    def payload_summary(self) -> str:
        """What was asked for, in one line."""
        return self.request.plan.summary

    @property
    def stage_count(self) -> int:
        """How many stages were planned."""
        return len(self.request.plan.stages)

    @property
    def stage_flags(self) -> dict[str, bool]:
        """Which stages were planned."""
        return self.request.plan.flags

    @property
    def outputs(self) -> tuple[str, ...]:
        """Paths of all images that were made, in the order of the stages."""
        return tuple(path for stage in self.result for path in stage.outputs)
