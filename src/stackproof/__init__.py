"""A disposable copy of a whole system, and the proof that it works."""

from stackproof.waiting import wait_until

__all__ = ["wait_until"]
