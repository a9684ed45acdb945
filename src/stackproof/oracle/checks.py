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
    for seen in observations:
        if seen.state is None or seen.state in machine.states:
            known.append(seen)
        else:
            problems.append(Problem(f"{seen.state} is no state of a {machine.name}", seen))
    sources = [in_order(source) for source in by_source(known)]
    for source in sources:
        problems.extend(_within(machine, source))
    problems.extend(
        _between_polls(machine, [source for source in sources if _kind(source) is Kind.POLL])
    )
    problems.extend(_two_ends(machine, known))
    problems.extend(_against_records(machine, sources))
    first = {problem.text: problem for problem in sorted(problems, key=_moment, reverse=True)}
    return sorted(first.values(), key=_moment)


def _moment(problem: Problem) -> float:
    return problem.observation.at


def by_source(observations: Iterable[Observation]) -> list[list[Observation]]:
    """The observations of each source, in the order in which they came."""
    ordered = sorted(observations, key=lambda seen: (seen.source, seen.number))
    return [list(group) for _, group in groupby(ordered, key=lambda seen: seen.source)]


def in_order(source: Observations) -> list[Observation]:
    """The observations of one source in the source's own order; what it told again is left out."""
    if any(seen.order is None for seen in source):
        return list(source)
    told = {(seen.order, seen.state): seen for seen in reversed(source)}
    return sorted(told.values(), key=lambda seen: (seen.order or 0, seen.number))


def _kind(source: Observations) -> Kind:
    return source[0].kind


def _states(source: Observations) -> list[Observation]:
    return [seen for seen in source if seen.state is not None]


def _within(machine: StateMachine, source: Observations) -> Iterator[Problem]:
    """What is wrong with one source by itself."""
    states = _states(source)
    kind = _kind(source)
    ordered = kind is not Kind.NOTICE or all(seen.order is not None for seen in source)
    if not ordered:
        return
    if kind is Kind.RECORD and states and states[0].state not in machine.initial:
        begins = " or ".join(sorted(machine.initial))
        text = (
            f"{states[0].source} starts as {states[0].state}; a {machine.name} starts as {begins}"
        )
        yield Problem(text, states[0])
    for before, after in pairwise(states):
        yield from _step(machine, before, after, strict=kind.is_strict)
    yield from _fields(machine, source)


def _step(
    machine: StateMachine, before: Observation, after: Observation, *, strict: bool
) -> Iterator[Problem]:
    old, new = str(before.state), str(after.state)
    if strict and before.order is not None and before.order == after.order:
        yield Problem(f"{after.source} reports #{after.order} as {old} and as {new}", after)
    elif new in machine.next_states(old) if strict else machine.can_become(old, new):
        return
    elif old in machine.terminal:
        yield Problem(f"{old} did not stay: {new} in {after.source}", after)
    else:
        yield Problem(
            f"{old} → {new} in {after.source} is not allowed; {_ways(machine, old)}", after
        )


def _ways(machine: StateMachine, state: str) -> str:
    return f"allowed after {state}: {' or '.join(machine.next_states(state)) or 'nothing'}"


def _fields(machine: StateMachine, source: Observations) -> Iterator[Problem]:
    latest: dict[str, Any] = {}
    ended = False
    for seen in source:
        for name, value in seen.fields.items():
            before = latest.get(name)
            if ended and name in machine.final and name in latest and value != before:
                text = f"{name} changed after the end: {before!r} → {value!r} in {seen.source}"
                yield Problem(text, seen)
            elif name in machine.monotonic and _is_lower(value, before):
                yield Problem(f"{name} went back: {before!r} → {value!r} in {seen.source}", seen)
            latest[name] = value
        ended = ended or seen.state in machine.terminal


def _is_lower(value: Any, before: Any) -> bool:
    if before is None or value is None:
        return before is not None
    return bool(value < before)


def _between_polls(machine: StateMachine, polls: Sequence[Observations]) -> Iterator[Problem]:
    """Polls of several sources, where one had its answer before the other began to ask."""
    for source in polls:
        others = [earlier for other in polls if other is not source for earlier in other]
        for seen in source:
            earlier = [other for other in others if other.at <= seen.asked]
            if earlier:
                before = max(earlier, key=lambda other: other.at)
                if before.state is not None and seen.state is not None:
                    yield from _step(machine, before, seen, strict=False)
                yield from _fields(machine, [before, seen])


def _two_ends(machine: StateMachine, known: Observations) -> Iterator[Problem]:
    """Two sources that saw different terminal states can't both be right, however late they are."""
    ends = [seen for seen in known if seen.state in machine.terminal]
    for seen in ends:
        first = ends[0]
        if seen.state != first.state and seen.source != first.source:
            yield Problem(
                f"{seen.source} saw {seen.state}, and {first.source} saw {first.state}", seen
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
        name, history = record[0].source, [seen.state for seen in record]
        for source in sources:
            if source[0].source == name:
                continue
            if _kind(source) is Kind.NOTICE:
                strangers = [state for state in _states(source) if state.state not in history]
            else:
                strangers = _not_embedded(_states(source), history)
            for seen in strangers[:1]:
                told = " → ".join(map(str, history))
                yield Problem(
                    f"{seen.source} saw {seen.state}, which does not fit the history of {name}: "
                    f"{told}",
                    seen,
                )


def _not_embedded(states: Observations, history: Sequence[str | None]) -> list[Observation]:
    """What is seen by a source that does not fit into a whole history, in order."""
    position = 0
    for state in states:
        if state.state not in history[position:]:
            return [state]
        position = history.index(state.state, position)
    return []
