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
    ├── WaitFailed               a condition did not become true
    │   ├── WaitTimeout          not in time
    │   ├── WaitStalled          nothing went on any more
    │   └── WrongEnd             it ended in another way
    ├── IllegalHistory           a thing went through states that it must not
    └── TeardownIncomplete       something is still there after taking down

Each text has up to three parts: what failed, what was observed, what to do next.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


BUG = "this is a bug in stackproof; please report it with the lines that follow"
"""What stands before a traceback: a user's mistake never has one."""

LONGEST_PART = 600
"""Letters of each part of a `ConfigError`."""


class StackproofError(Exception):
    """The root of all expected failures.

    Args:
        what: What failed, one line.
        observed: What was seen, any number of lines.
        remedy: What the reader can do next.
    """

    def __init__(self, what: str, *, observed: str = "", remedy: str = "") -> None:
        self.what = what
        self.observed = observed
        self.remedy = remedy
        super().__init__(what, observed, remedy)

    def __str__(self) -> str:
        parts = [self.what]
        if self.observed:
            parts.extend("  " + line for line in self.observed.splitlines())
        if self.remedy:
            parts.append("→ " + self.remedy)
        return "\n".join(parts)

    def mask(self, mask: Callable[[str], str]) -> None:
        """Mask secrets in its texts, in place.

        Args:
            mask: Gives a text without secrets.
        """
        for name, value in list(vars(self).items()):
            if isinstance(value, str):
                setattr(self, name, mask(value))
            elif isinstance(value, list | tuple):
                masked = [mask(one) if isinstance(one, str) else one for one in value]
                setattr(self, name, type(value)(masked))
        self.args = tuple(mask(one) if isinstance(one, str) else one for one in self.args)


@contextmanager
def masked_errors(mask: Callable[[str], str]) -> Iterator[None]:
    """Mask secrets in the errors that come out of a block.

    Args:
        mask: Gives a text without secrets.
    """
    try:
        yield
    except StackproofError as error:
        error.mask(mask)
        raise


class ConfigError(StackproofError):
    """A file or setting that a person wrote is wrong.

    Args:
        what: What is wrong, one line.
        source: The file, or a name such as `environment` or `command line`.
        line: Line in the file, counted from 1; None where there is no file.
        key: Dotted path of the key, such as `services.api.ports[0]`.
        observed: What was found there.
        remedy: What to write instead.
    """

    def __init__(
        self,
        what: str,
        *,
        source: Path | str | None = None,
        line: int | None = None,
        key: str = "",
        observed: str = "",
        remedy: str = "",
    ) -> None:
        self.source = source
        self.line = line
        self.key = key
        place = "" if source is None else f"{source}:{line}" if line else f"{source}"
        where = ": ".join(part for part in (place, _cut(key)) if part)
        what = _cut(what)
        super().__init__(
            f"{where}: {what}" if where else what, observed=_cut(observed), remedy=_cut(remedy)
        )


class EngineUnavailable(StackproofError):
    """The machine lacks something that the engine needs.

    Args:
        what: What is missing.
        checked: Each place that was looked at, with what was found there.
        remedy: The ways to supply it.
    """

    def __init__(self, what: str, *, checked: Sequence[str] = (), remedy: str = "") -> None:
        self.checked = tuple(checked)
        observed = "\n".join(f"checked {place}" for place in self.checked)
        super().__init__(what, observed=observed, remedy=remedy)


class CommandFailed(StackproofError):
    """A command that ran on the user's behalf ended with a non-zero status.

    Args:
        what: Which command, for what.
        exit_code: Its exit status; negative is minus the signal's number.
        output: The end of its output.
        remedy: What to do next.
    """

    def __init__(self, what: str, *, exit_code: int, output: str = "", remedy: str = "") -> None:
        self.exit_code = exit_code
        self.output = output
        super().__init__(what, observed=output, remedy=remedy)


class StorageFailed(StackproofError):
    """A file or folder can't be read or written: a full disk, no permission, a limit."""


class StackBusy(StackproofError):
    """Another command holds the lock of the same stack."""


class NoStack(StackproofError):
    """The command needs a running stack, and there is none."""


class NoAnswer(StackproofError):
    """A process that runs a stack was asked something, and does not answer.

    Args:
        who: The process, such as `the supervisor of shop-e2e`.
        waited: Seconds without an answer.
        observed: What is known of the process.
        remedy: What to do next.
    """

    def __init__(self, who: str, *, waited: float, observed: str, remedy: str) -> None:
        self.who = who
        self.waited = waited
        super().__init__(
            f"{who} did not answer for {int(waited)} s", observed=observed, remedy=remedy
        )


class Refused(StackproofError):
    """Going on could touch a database, container or process that stackproof did not make."""


class NotAttached(Refused):
    """It needs more than the addresses of a stack that somebody else has started.

    In a test, the pytest plugin skips it with this reason.
    """


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
        log_tail: Sequence[str] = (),
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
            remedy=remedy,
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
        self,
        service: str,
        *,
        code: int | None,
        verdict: str,
        log_tail: Sequence[str] = (),
        remedy: str = "",
    ) -> None:
        self.service = service
        self.code = code
        self.verdict = verdict
        self.log_tail = tuple(log_tail)
        super().__init__(
            f"{service} {verdict}", observed="\n".join(_tail(service, log_tail)), remedy=remedy
        )


class PortTaken(StartFailed):
    """Somebody else listens on a port that a service needs.

    Args:
        service: Name of the service.
        port: The port's number.
        holder: Who listens there, as far as could be found out.
        remedy: What to do next.
    """

    def __init__(self, service: str, *, port: int, holder: str, remedy: str = "") -> None:
        self.service = service
        self.port = port
        self.holder = holder
        super().__init__(
            f"{service} can't have port {port}: it is taken",
            observed=f"listening there: {holder}",
            remedy=remedy or "stop the other program, or give the service another port",
        )


class WaitFailed(StackproofError):
    """A condition did not become true.

    Args:
        what: What was waited for, and how that ended.
        waited: Seconds waited.
        trace: What was observed, oldest first.
        remedy: What to do next.
    """

    def __init__(
        self, what: str, *, waited: float, trace: Sequence[str] = (), remedy: str = ""
    ) -> None:
        self.waited = waited
        self.trace = tuple(trace)
        super().__init__(what, observed="\n".join(trace), remedy=remedy)

    def observe(self, lines: Sequence[str]) -> None:
        """Add what else was seen to the error's text."""
        self.observed = "\n".join(filter(None, [self.observed, *lines]))


class WaitTimeout(WaitFailed):
    """A condition did not become true in time."""

    def __init__(
        self, what: str, *, waited: float, trace: Sequence[str] = (), remedy: str = ""
    ) -> None:
        text = f"{what}: not within {waited:.1f} s"
        super().__init__(text, waited=waited, trace=trace, remedy=remedy)


class WaitStalled(WaitFailed):
    """What was waited for did not get any further for too long."""


class WrongEnd(WaitFailed):
    """What was waited for can't come any more: it ended in another way."""


class IllegalHistory(StackproofError):
    """A thing was seen to go through states that its state machine does not allow.

    Args:
        what: Which thing.
        problems: What is wrong, each in a line.
        drawing: All that was seen, as lines of a timeline.
    """

    def __init__(self, what: str, *, problems: Sequence[str], drawing: Sequence[str]) -> None:
        self.problems = tuple(problems)
        self.drawing = tuple(drawing)
        super().__init__(
            f"{what} went through states that it must not",
            observed="\n".join([*problems, *drawing]),
        )


class TeardownIncomplete(StackproofError):
    """Something is still there after taking a stack down.

    Args:
        leftovers: Each thing that is left, in words.
        remedy: What to do next.
    """

    def __init__(self, leftovers: Sequence[str], *, remedy: str = "") -> None:
        self.leftovers = tuple(leftovers)
        super().__init__(
            "not everything could be taken down",
            observed="\n".join(leftovers),
            remedy=remedy or "run `invoke clean`; it names what it can't end",
        )


def _cut(text: str) -> str:
    """A part of an error that may hold a value of any length."""
    return text if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]}…"


def _tail(service: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return [f"{service} has written no output"]
    return ["last lines:", *("  | " + line for line in lines)]
