"""Makes jobs of drafts and hands them to the job service."""

from __future__ import annotations

from imaging.jobs import JobRequest, PromptSource, RunMode
from imaging.planning import PlanError, make_plan
from imaging.service import JobService
from imaging.state import AppState


class PipelineController:
    """Submits the draft of the application's state.

    Attributes:
        state: Where the draft is.
        service: Takes the jobs.
    """

    def __init__(self, state: AppState, service: JobService) -> None:
        self.state = state
        self.service = service

    def submit(self, run_mode: RunMode, source: str) -> str:
        """Submit the draft as it is now; returns the job's id.

        Raises:
            PlanError: If the draft can't be made into an image, with the reason.
        """
        request = self._request(run_mode, source)
        if run_mode is RunMode.DIRECT:
            return self.service.submit_direct(request)
        return self.service.submit_queued(request)

    def _request(self, run_mode: RunMode, source: str) -> JobRequest:
        draft = self.state.draft
        is_from_pack = draft.pack_id is not None
        return JobRequest(
            plan=make_plan(draft, self._prompt()),
            run_mode=run_mode,
            source=source,
            prompt_source=PromptSource.PACK if is_from_pack else PromptSource.MANUAL,
            prompt_pack_id=draft.pack_id,
        )

    def _prompt(self) -> str:
        draft = self.state.draft
        if draft.pack_id is None:
            return draft.prompt
        if draft.pack_id not in self.state.packs:
            raise PlanError(f"there is no prompt pack {draft.pack_id!r}")
        return self.state.packs[draft.pack_id]
