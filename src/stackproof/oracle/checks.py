"""What is wrong with a history: pure functions from observations to problems.

Only what holds whatever the delays are is concluded. Within a source its own order counts. Between
sources the time counts only between polls, and only if one had its answer before the other asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any

from stackproof.oracle.machine import StateMachine
from stackproof.oracle.observation import Kind, Observation, Problem

Observations = Sequence[Observation]


def find_problems(machine: StateMachine, observations: Observations) -> list[Problem]:
    """Everything that is wrong with what was seen of a thing, in the order in which it was seen."""
    known: list[Observation] = []
    problems: list[Problem] = []
    for one in observations:
        if one.state is None or one.state in machine.states:
            known.append(one)
        else:
            problems.append(Problem(f"{one.state} is no state of a {machine.name}", one))
    sources = [in_order(source) for source in by_source(known)]
    for source in sources:
        problems.extend(_within(machine, source))
    problems.extend(_between_polls(machine, [one for one in sources if _kind(one) is Kind.POLL]))
    problems.extend(_two_ends(machine, known))
    problems.extend(_against_records(machine, sources))
    first = {one.text: one for one in sorted(problems, key=_moment, reverse=True)}
    return sorted(first.values(), key=_moment)


def _moment(problem: Problem) -> float:
    return problem.observation.at


def by_source(observations: Iterable[Observation]) -> list[list[Observation]]:
    """The observations of each source, in the order in which they came."""
    ordered = sorted(observations, key=lambda one: (one.source, one.number))
    return [list(group) for _, group in groupby(ordered, key=lambda one: one.source)]


def in_order(source: Observations) -> list[Observation]:
    """The observations of one source in the source's own order; what it told again is left out."""
    if any(one.order is None for one in source):
        return list(source)
    told = {(one.order, one.state): one for one in reversed(source)}
    return sorted(told.values(), key=lambda one: (one.order or 0, one.number))


def _kind(source: Observations) -> Kind:
    return source[0].kind


def _states(source: Observations) -> list[Observation]:
    return [one for one in source if one.state is not None]


def _within(machine: StateMachine, source: Observations) -> Iterator[Problem]:
    """What is wrong with one source by itself."""
    states = _states(source)
    kind = _kind(source)
    ordered = kind is not Kind.NOTICE or all(one.order is not None for one in source)
    if not ordered:
        return
    if kind is Kind.RECORD and states and states[0].state not in machine.initial:
        begins = " or ".join(sorted(machine.initial))
        text = f"{states[0].source} begins with {states[0].state}; a {machine.name} begins {begins}"
        yield Problem(text, states[0])
    for before, after in pairwise(states):
        yield from _step(machine, before, after, strict=kind.is_strict)
    yield from _fields(machine, source)


def _step(
    machine: StateMachine, before: Observation, after: Observation, *, strict: bool
) -> Iterator[Problem]:
    old, new = str(before.state), str(after.state)
    if strict and before.order is not None and before.order == after.order:
        yield Problem(f"{after.source} tells #{after.order} as {old} and as {new}", after)
    elif new in machine.next_states(old) if strict else machine.can_become(old, new):
        return
    elif old in machine.terminal:
        yield Problem(f"{old} did not stay: {new} in {after.source}", after)
    else:
        yield Problem(
            f"{old} → {new} in {after.source} is not allowed; {_ways(machine, old)}", after
        )


def _ways(machine: StateMachine, state: str) -> str:
    return f"what may follow on {state} is {' or '.join(machine.next_states(state)) or 'nothing'}"


def _fields(machine: StateMachine, source: Observations) -> Iterator[Problem]:
    latest: dict[str, Any] = {}
    ended = False
    for one in source:
        for name, value in one.fields.items():
            before = latest.get(name)
            if ended and name in machine.final and name in latest and value != before:
                text = f"{name} changed after the end: {before!r} → {value!r} in {one.source}"
                yield Problem(text, one)
            elif name in machine.monotonic and _is_lower(value, before):
                yield Problem(f"{name} went back: {before!r} → {value!r} in {one.source}", one)
            latest[name] = value
        ended = ended or one.state in machine.terminal


def _is_lower(value: Any, before: Any) -> bool:
    if before is None or value is None:
        return before is not None
    return bool(value < before)


def _between_polls(machine: StateMachine, polls: Sequence[Observations]) -> Iterator[Problem]:
    """Polls of several sources, where one had its answer before the other began to ask."""
    for source in polls:
        others = [one for other in polls if other is not source for one in other]
        for one in source:
            earlier = [other for other in others if other.at <= one.asked]
            if earlier:
                before = max(earlier, key=lambda other: other.at)
                if before.state is not None and one.state is not None:
                    yield from _step(machine, before, one, strict=False)
                yield from _fields(machine, [before, one])


def _two_ends(machine: StateMachine, known: Observations) -> Iterator[Problem]:
    """Two sources that saw different terminal states can't both be right, however late they are."""
    ends = [one for one in known if one.state in machine.terminal]
    for one in ends:
        first = ends[0]
        if one.state != first.state and one.source != first.source:
            yield Problem(
                f"{one.source} saw {one.state}, and {first.source} saw {first.state}", one
            )
            return


def _against_records(machine: StateMachine, sources: Sequence[Observations]) -> Iterator[Problem]:
    """A record that has come to the end is the whole history: all that others saw is part of it."""
    records = [
        states
        for source in sources
        if _kind(source) is Kind.RECORD
        and (states := _states(source))
        and states[-1].state in machine.terminal
    ]
    for record in records:
        name, history = record[0].source, [one.state for one in record]
        for source in sources:
            if source[0].source == name:
                continue
            if _kind(source) is Kind.NOTICE:
                strangers = [one for one in _states(source) if one.state not in history]
            else:
                strangers = _not_embedded(_states(source), history)
            for one in strangers[:1]:
                told = " → ".join(map(str, history))
                yield Problem(
                    f"{one.source} saw {one.state} where {name} has no place for it: {told}", one
                )


def _not_embedded(states: Observations, history: Sequence[str | None]) -> list[Observation]:
    """What is seen by a source that does not fit into a whole history, in order."""
    position = 0
    for one in states:
        if one.state not in history[position:]:
            return [one]
        position = history.index(one.state, position)
    return []
