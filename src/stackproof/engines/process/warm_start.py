"""How a service begins: forked from a fork server, or started anew, and what became of a fork."""

from __future__ import annotations

from stackproof.engines.process.fork_server.asking import tell_failure
from stackproof.engines.process.spec import Forked, ServiceSpec

WARM = "warm"


class WarmStart:
    """Whether the next start of a service is a fork; one that fails is the last.

    A fork that ends, or gets unhealthy, before it was ever ready is started anew. If that one
    becomes ready, the fork server is told, so that later copies begin anew.

    Args:
        spec: The service.

    Attributes:
        is_fork: Whether its process is a fork.
        told: `warm`, why it is not, or empty where nobody has asked for forks.
    """

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec
        self._failure = ""
        self._gave_up = False
        self.is_fork = False
        self.told = f"cold: {spec.cold}" if spec.cold else ""
        self._may_fork = spec.forked is not None

    def begins(self) -> Forked | None:
        """Note that its process is started now; gives the fork server that does it, if one does."""
        self.is_fork, self._gave_up = self._may_fork, False
        if self.is_fork:
            self.told = WARM
        return self._spec.forked if self.is_fork else None

    def refused(self, reason: str) -> None:
        """Note that no fork can be had, now or later."""
        self.is_fork = self._may_fork = False
        self.told = f"cold: {reason}"

    def gives_up(self) -> bool:
        """Whether its process is a fork, which counts as failed from now on."""
        self._gave_up = self.is_fork
        return self._gave_up

    def has_failed(self, code: int, *, was_ready: bool) -> bool:
        """Whether its process was a fork that has failed by itself, as a new one may not.

        Args:
            code: Its exit status.
            was_ready: Whether it was ready before.
        """
        return self.is_fork and (self._gave_up or (code > 0 and not was_ready))

    def failed(self, reason: str) -> None:
        """Note how a fork has failed."""
        self._failure = reason
        self.refused(reason)

    def is_ready(self) -> None:
        """Tell the fork server, if what is ready now was started in place of a failed fork."""
        if self._failure and self._spec.forked is not None:
            tell_failure(self._spec.forked.server, self._failure)
        self._failure = ""
