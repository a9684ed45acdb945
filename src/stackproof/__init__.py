"""A disposable copy of a whole system, and the proof that it works."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackproof.waiting import wait_until

__version__ = "0.1.0"

__all__ = ["wait_until"]


def __getattr__(name: str) -> object:
    """Import on first use: the reaper and the supervisor must start fast and stay small."""
    if name == "wait_until":
        from stackproof.waiting import wait_until

        return wait_until
    raise AttributeError(name)
