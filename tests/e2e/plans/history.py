"""What a plan may go through: between two wishes of its user, and in its whole life."""

from __future__ import annotations

from tests.e2e.plans.expectations import States

from stackproof.oracle import StateMachine

STAYS = 1.0  # seconds that an end is watched for being left again
ABANDONED = "abandoned"


def turn_of(states: States) -> StateMachine:
    """From a user's wish (create, resume, retry) to the end, as the tools tell it.

    Nothing leaves the end but another wish, and progress never goes back.
    """
    ended = sorted(states.ended)
    return StateMachine(
        name="turn",
        initial=[states.waiting],
        transitions={states.waiting: [states.working, *ended], states.working: ended},
        terminal=ended,
        monotonic=["progress", "steps"],
        final=["progress", "steps"],
        linger=STAYS,
    )


def life_of(states: States) -> StateMachine:
    """The whole life, as the audit trail tells it.

    Between two claims, the plan has ended and was asked for again, or its worker is out.
    """
    ended = {states.failed, states.stopped}
    return StateMachine(
        name="life",
        initial=[states.waiting],
        transitions={
            states.waiting: [states.working, *ended],
            states.working: [ABANDONED, states.done, *ended],
            ABANDONED: [states.working, *ended],
            **{one: [states.waiting] for one in ended},
        },
        terminal=[states.done],
    )
