"""What a thing may go through: its states, the ways between them, and what never goes back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from stackproof.errors import ConfigError


@dataclass(frozen=True)
class StateMachine:
    """The states of a kind of thing, such as a run or an order.

    Attributes:
        name: What such a thing is called, such as `run`.
        initial: The states that it can begin in.
        transitions: Which states may follow on which.
        terminal: The states that it ends in; nothing follows on them.
        monotonic: Fields that never go down, and never back to None once they have a value.
        final: Fields that never change once a terminal state was seen.
        linger: Seconds that a terminal state is watched to stay.

    Raises:
        ConfigError: If the declaration contradicts itself.
    """

    name: str
    initial: Collection[str]
    transitions: Mapping[str, Collection[str]]
    terminal: Collection[str]
    monotonic: Collection[str] = ()
    final: Collection[str] = ()
    linger: float = 1.0
    _reachable: dict[str, frozenset[str]] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for state in self.states:
            self._reachable[state] = self._closure({state})
        self._check()

    @property
    def states(self) -> frozenset[str]:
        """All states."""
        followers = (state for transition in self.transitions.values() for state in transition)
        return frozenset({*self.initial, *self.transitions, *followers, *self.terminal})

    def next_states(self, state: str) -> list[str]:
        """The states that may follow on one directly."""
        return sorted(self.transitions.get(state, ()))

    def can_become(self, state: str, later: str) -> bool:
        """Whether one state can be seen some time after another, or is the same."""
        return later in self._reachable[state]

    def _closure(self, found: set[str]) -> frozenset[str]:
        waiting = list(found)
        while waiting:
            new = set(self.transitions.get(waiting.pop(), ())) - found
            found |= new
            waiting.extend(new)
        return frozenset(found)

    def _check(self) -> None:
        if not self.initial:
            raise ConfigError(f"a {self.name} has no initial state")
        for state in sorted(self.states):
            ways = self.next_states(state)
            if state in self.terminal and ways:
                raise ConfigError(
                    f"the terminal state {state} of a {self.name} leads to {', '.join(ways)}",
                    remedy="remove it from `terminal`, or remove the transition",
                )
            if state not in self.terminal and not ways:
                raise ConfigError(
                    f"the state {state} of a {self.name} has no next state",
                    remedy="add it to `terminal`, or add its next states to `transitions`",
                )
        lost = self.states - self._closure(set(self.initial))
        if lost:
            raise ConfigError(f"{self.name}: unreachable state {', '.join(sorted(lost))}")
