"""Failures of the start of a stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackproof.errors.root import StackproofError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Tail = Sequence[str]

ONE_SHOT = (
    "if it is meant to end, name it under `one_shots` in the stack config, or let others wait for "
    "it with `condition: service_completed_successfully`"
)


def logs_of_running(service: str) -> str:
    """Where the log of a service is, as long as its stack is up.

    Args:
        service: Name of the service.
    """
    return f"`invoke logs {service}` shows its whole log"


class StartFailed(StackproofError):
    """The stack could not be started."""


class NotReady(StartFailed):
    """A service did not become ready within its time.

    Args:
        service: Name of the service.
        probe: The probe that was asked, in words.
        waited: Seconds waited.
        last_failure: The probe's last answer.
        log_tail: The service's last lines.
        remedy: What to do next.
    """

    def __init__(
        self,
        service: str,
        *,
        probe: str,
        waited: float,
        last_failure: str,
        log_tail: Tail = (),
        remedy: str = "",
    ) -> None:
        self.service = service
        self.probe = probe
        self.waited = waited
        self.last_failure = last_failure
        self.log_tail = tuple(log_tail)
        observed = [f"probe: {probe}", f"last answer: {last_failure}", *_tail(service, log_tail)]
        super().__init__(
            f"{service} was not ready after {waited:.1f} s",
            observed="\n".join(observed),
            remedy=remedy
            or "if it is only slow, raise timeouts.start (or the health check's start_period)",
        )


class ServiceExited(StartFailed):
    """A service ended while it was being waited for.

    Args:
        service: Name of the service.
        code: Its exit status; negative is minus the signal's number.
        verdict: The same in words, such as `exited with status 3` or `killed: out of memory`.
        log_tail: The service's last lines.
        remedy: What to do next.
    """

    def __init__(
        self, service: str, *, code: int | None, verdict: str, log_tail: Tail = (), remedy: str = ""
    ) -> None:
        self.service = service
        self.code = code
        self.verdict = verdict
        self.log_tail = tuple(log_tail)
        super().__init__(
            f"{service} {verdict}",
            observed="\n".join(_tail(service, log_tail)),
            remedy=ONE_SHOT if code == 0 else remedy or logs_of_running(service),
        )


class ServiceEnded(StackproofError):
    """A service of a running stack has ended by itself, and nothing starts it again.

    Args:
        service: Name of the service.
        code: Its exit status; negative is minus the signal's number.
        verdict: The same in words.
        log_tail: The service's last lines.
        others: Further services that have ended, each as a line.
    """

    def __init__(
        self, service: str, *, code: int | None, verdict: str, log_tail: Tail, others: Tail = ()
    ) -> None:
        self.service = service
        self.code = code
        self.verdict = verdict
        self.log_tail = tuple(log_tail)
        observed = [f"{service}: {verdict}", *_tail(service, log_tail), *others]
        super().__init__(
            f"{service} has ended by itself",
            observed="\n".join(observed),
            remedy=ONE_SHOT
            if code == 0
            else f"if the test ends it, say so: `stack.may_end({service!r})`",
        )


class PortTaken(StartFailed):
    """Somebody else listens on a port that a service needs.

    Args:
        service: Name of the service.
        port: The port's number.
        holder: Who listens there, as far as could be found out.
        place: Where the port was asked for, with the key; empty where that is not known.
    """

    def __init__(self, service: str, *, port: int, holder: str, place: str = "") -> None:
        self.service = service
        self.port = port
        self.holder = holder
        super().__init__(
            f"{service} can't have port {port}: it is taken",
            observed=f"listening there: {holder}" + (f"\nasked for in {place}" if place else ""),
            remedy="stop the other program, or give the service another port: "
            f"`ports: {{{service}: …}}` in the stack config",
        )


def _tail(service: str, lines: Tail) -> list[str]:
    if not lines:
        return [f"{service} has written no output"]
    return ["last lines:", *("  | " + line for line in lines)]
