"""Waiting: for a condition, up to a deadline, and what a person hears meanwhile."""

from stackproof.waiting.clock import CLOCK, Clock, Deadline
from stackproof.waiting.condition import Trace, WaitOptions, wait_until, watched_by
from stackproof.waiting.silence import StillWaiting, reminding

__all__ = [
    "CLOCK", "Clock", "Deadline", "StillWaiting", "Trace", "WaitOptions", "reminding",
    "wait_until", "watched_by",
]  # fmt: skip
