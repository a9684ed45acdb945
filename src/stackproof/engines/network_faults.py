"""What can be wrong between two services of a stack, as plain data that an engine carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["cut", "lose", "pace", "heal"]


@dataclass(frozen=True)
class NetworkFault:
    """A fault between two services, in both directions, or its end.

    Attributes:
        kind: `cut` (nothing passes), `lose` (so many packets are lost), `pace` (new connections are
            held up) or `heal` (nothing is wrong any more).
        one: A service; empty with `heal` for all of them.
        other: Another one; empty with `heal` for all others.
        percent: Packets that are lost, in a hundred.
        delay: Seconds that everything takes longer, each way.
        jitter: Seconds by which the delay varies.
        rate: Bytes a second, each way; 0 for no bound.
    """

    kind: Kind
    one: str = ""
    other: str = ""
    percent: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    rate: float = 0.0

    def __str__(self) -> str:
        between = " and ".join(filter(None, (self.one, self.other))) or "all services"
        words = {
            "cut": f"nothing passes between {between}",
            "lose": f"{self.percent:g} % is lost between {between}",
            "pace": f"connections between {between} are held up: {self._pace()}",
            "heal": f"nothing is wrong with the network of {between}",
        }
        return words[self.kind]

    def _pace(self) -> str:
        delay = f"{self.delay * 1000:g} ms" + (f" ± {self.jitter * 1000:g}" if self.jitter else "")
        rate = f"{self.rate:g} bytes a second" if self.rate else ""
        return ", ".join(filter(None, (delay if self.delay else "", rate)))
