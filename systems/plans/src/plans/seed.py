"""Fills in the example prompts: `python -m plans.seed`; a second time changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from plans.database import sessions
from plans.models import ExamplePrompt

FIXTURES = Path(__file__).parents[2] / "fixtures"


def seed(session: Session) -> str:
    """Bring the example prompts to what the fixture says; returns what is there now."""
    prompts: list[str] = json.loads((FIXTURES / "example_prompts.json").read_text())
    session.execute(delete(ExamplePrompt))
    session.add_all(
        ExamplePrompt(position=position, prompt=prompt)
        for position, prompt in enumerate(prompts, start=1)
    )
    return f"{len(prompts)} example prompts"


if __name__ == "__main__":
    with sessions().begin() as opened:
        print(seed(opened))  # noqa: T201 - a command line tells what it did
