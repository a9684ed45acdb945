"""What executions, enforcements and inquiries may go through."""

from __future__ import annotations

from stackproof.oracle import StateMachine

STAYS = 0.5  # seconds that an end is watched for being left again
ENDED = {"completed", "failed", "cancelled", "timeout", "abandoned"}

EXECUTION = StateMachine(
    name="execution",
    initial=["requested"],
    transitions={
        "requested": ["scheduling", "cancelled", "failed"],
        "scheduling": ["scheduled", "running"],
        "scheduled": ["running", "scheduling", "cancelled", "failed"],
        "running": ["completed", "failed", "canceling", "timeout", "abandoned"],
        "canceling": ["cancelled", "completed", "failed", "timeout"],
    },
    terminal=sorted(ENDED),
    final=["result", "ended_at"],
    linger=STAYS,
)
ENFORCEMENT = StateMachine(
    name="enforcement",
    initial=["created"],
    transitions={"created": ["processed", "disabled"]},
    terminal=["processed", "disabled"],
    linger=STAYS,
)
INQUIRY = StateMachine(
    name="inquiry",
    initial=["pending"],
    transitions={"pending": ["responded", "timeout", "cancelled"]},
    terminal=["responded", "timeout", "cancelled"],
    linger=STAYS,
)
MACHINES = {"execution": EXECUTION, "enforcement": ENFORCEMENT, "inquiry": INQUIRY}
