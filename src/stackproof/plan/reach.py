"""What a service can reach of this machine beside its stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reach:
    """What of this machine a container reaches that others don't.

    Attributes:
        hosts: Names that `extra_hosts` gives it, with their addresses.
        host_network: Whether it shares this machine's network.
        binds: Container paths at which it sees files of this machine.
    """

    hosts: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False
    binds: tuple[str, ...] = ()
