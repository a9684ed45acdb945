"""The state oracle: what a thing may go through, and what it was seen to go through."""

from stackproof.oracle.machine import StateMachine
from stackproof.oracle.observation import Kind, Observation
from stackproof.oracle.watching import Oracle, Source, Watch

__all__ = ["Kind", "Observation", "Oracle", "Source", "StateMachine", "Watch"]
