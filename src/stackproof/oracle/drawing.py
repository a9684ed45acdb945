"""What was seen of a thing as text: a timeline with its sources and its problems."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from stackproof.oracle.observation import Kind, Observation, Problem

MOST_LINES = 200
"""Lines of a timeline; of a longer one the middle is left out."""


def draw(
    observations: Sequence[Observation], problems: Sequence[Problem], *, began: float
) -> list[str]:
    """A line for each observation, by time; polls that saw the same again are one line.

    Args:
        observations: What was seen.
        problems: What is wrong with it.
        began: The moment that the times are counted from.
    """
    notes: dict[tuple[str, int], list[str]] = {}
    for problem in problems:
        observation = problem.observation
        notes.setdefault((observation.source, observation.number), []).append(problem.text)
    width = max((len(observation.source) for observation in observations), default=0)
    lines = []
    for run in _runs(observations, notes):
        first, last = run[0], run[-1]
        told = notes.get((first.source, first.number), [])
        again = f"  ({len(run)} times, until {last.at - began:.2f} s)" if len(run) > 1 else ""
        mark = "!" if told else " "
        lines.append(f"{mark}{first.at - began:8.2f} s  {first.source:<{width}}  {first}{again}")
        lines.extend(f"{'':13}{'':<{width}}  ^ {text}" for text in told)
    return _bounded(lines)


def _runs(
    observations: Sequence[Observation], notes: dict[tuple[str, int], list[str]]
) -> Iterator[list[Observation]]:
    """Observations by time, with those together that are polls and saw the same."""
    ordered = sorted(observations, key=lambda observation: observation.at)

    def sameness(observation: Observation) -> object:
        place = observation.source, observation.number
        if observation.kind is not Kind.POLL or place in notes:
            return place
        return observation.source, observation.state, sorted(observation.fields.items(), key=str)

    return (list(group) for _, group in groupby(ordered, key=sameness))


def _bounded(lines: list[str]) -> list[str]:
    left_out = len(lines) - MOST_LINES
    if left_out <= 0:
        return lines
    half = MOST_LINES // 2
    return [*lines[:half], f"          … {left_out} further lines …", *lines[-half:]]
