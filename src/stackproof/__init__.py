"""A disposable copy of a whole system, and the proof that it works."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stackproof.errors import StackproofError, WaitTimeout
    from stackproof.oracle import Oracle, StateMachine
    from stackproof.stack import Stack
    from stackproof.waiting import wait_until

__version__ = "0.1.0"

__all__ = ["Oracle", "Stack", "StackproofError", "StateMachine", "WaitTimeout", "wait_until"]

_PLACES = {
    "Oracle": "stackproof.oracle",
    "Stack": "stackproof.stack",
    "StackproofError": "stackproof.errors",
    "StateMachine": "stackproof.oracle",
    "WaitTimeout": "stackproof.errors",
    "wait_until": "stackproof.waiting",
}


def __getattr__(name: str) -> object:
    """Import on first use: the reaper and the supervisor must start fast and stay small."""
    if name in _PLACES:
        from importlib import import_module

        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, which are imported on first use."""
    return sorted([*__all__, "__version__"])
