"""Every error that stackproof raises on purpose, as one tree.

    StackproofError
    ├── ConfigError              a stack file, stack config or setting is wrong
    ├── EngineUnavailable        the machine lacks what the engine needs
    ├── CommandFailed            a command that was run for the user exited non-zero
    ├── StorageFailed            a disk is full, or a file or folder may not be used
    ├── StackBusy                another command is working on the same stack
    ├── NoStack                  the command needs a running stack and there is none
    ├── NoAnswer                 what runs a stack was asked, and does not answer
    ├── Refused                  doing it could touch something stackproof did not make
    │   └── NotAttached          it is not possible with a stack that somebody else has started
    ├── StartFailed              a stack could not be started
    │   ├── NotReady             a service did not become ready in time
    │   ├── ServiceExited        a service ended while it was being waited for
    │   └── PortTaken            somebody else listens on a service's port
    ├── ServiceEnded             a service of a running stack has ended by itself
    ├── WaitFailed               a condition did not become true
    │   ├── WaitTimeout          not in time
    │   ├── WaitStalled          nothing went on any more
    │   └── WrongEnd             it ended in another way
    ├── IllegalHistory           a thing went through states that are not allowed
    └── TeardownIncomplete       something is still there after taking down

Each text has up to three parts: what failed, what was observed, what to do next.
"""

from __future__ import annotations

from stackproof.errors.config import ConfigError, EngineUnavailable, Mistakes, StorageFailed
from stackproof.errors.root import BUG, StackproofError, masked_errors
from stackproof.errors.running import (
    CommandFailed,
    NoAnswer,
    NoStack,
    NotAttached,
    Refused,
    StackBusy,
    TeardownIncomplete,
)
from stackproof.errors.starting import (
    NotReady,
    PortTaken,
    ServiceEnded,
    ServiceExited,
    StartFailed,
)
from stackproof.errors.waiting import (
    IllegalHistory,
    WaitFailed,
    WaitStalled,
    WaitTimeout,
    WrongEnd,
)

__all__ = [
    "BUG",
    "CommandFailed",
    "ConfigError",
    "EngineUnavailable",
    "IllegalHistory",
    "Mistakes",
    "NoAnswer",
    "NoStack",
    "NotAttached",
    "NotReady",
    "PortTaken",
    "Refused",
    "ServiceEnded",
    "ServiceExited",
    "StackBusy",
    "StackproofError",
    "StartFailed",
    "StorageFailed",
    "TeardownIncomplete",
    "WaitFailed",
    "WaitStalled",
    "WaitTimeout",
    "WrongEnd",
    "masked_errors",
]
