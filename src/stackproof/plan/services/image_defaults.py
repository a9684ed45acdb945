"""What a Dockerfile says of how its service is checked and stopped, where a stack file does not.

Sources: the Dockerfile reference, "HEALTHCHECK" and "STOPSIGNAL"; `daemon/commit.go` of Moby, which
puts the times of an image and of a container together one by one.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from stackproof.errors import ConfigError
from stackproof.plan.services.built_stage import Image
from stackproof.plan.services.extension import Extension
from stackproof.plan.services.instructions import FLAGS, json_list
from stackproof.stack_file.model import Healthcheck, Service, StackFile
from stackproof.stack_file.reading.scalars import go_duration, whole_number

_TIMES = ("interval", "timeout", "retries", "start_period", "start_interval")
_EXAMPLE = "write `HEALTHCHECK --interval=5s CMD curl -f http://localhost/`, or HEALTHCHECK NONE"


def read_healthcheck(rest: str, line: int) -> Healthcheck | None:
    """The check of a HEALTHCHECK instruction; None for `HEALTHCHECK NONE`.

    Args:
        rest: What follows the keyword.
        line: The line that it begins in.

    Raises:
        ConfigError: If Docker would refuse it.
    """
    try:
        return _healthcheck(rest)
    except ConfigError as error:
        observed = f"line {line}: `HEALTHCHECK {rest}`"
        raise ConfigError(error.what, observed=observed, remedy=error.remedy) from None


def _healthcheck(rest: str) -> Healthcheck | None:
    stripped = FLAGS.sub("", f"{rest} ").strip()
    options: dict[str, Any] = {}
    for word in rest.removesuffix(stripped).split():
        name, _, value = word.removeprefix("--").partition("=")
        options[name.replace("-", "_")] = _option(word, name, value)
    kind, _, command = stripped.partition(" ")
    test = _test(command.strip())
    if kind.upper() == "NONE" and not command.strip() and not options:
        return None
    if kind.upper() != "CMD" or not any(test[1:]):
        raise ConfigError("HEALTHCHECK has no command", remedy=_EXAMPLE)
    return Healthcheck(test, **{name: value for name, value in options.items() if value})


def _test(command: str) -> tuple[str, ...]:
    exec_form = json_list(command)
    return ("CMD-SHELL", command) if exec_form is None else ("CMD", *exec_form)


def _option(word: str, name: str, value: str) -> float | None:
    read = _OPTIONS.get(name)
    if read is None:
        known = ", ".join(f"--{option}" for option in _OPTIONS)
        raise ConfigError(f"HEALTHCHECK has no option {word}", remedy=f"its options are {known}")
    try:
        return read(value)
    except ConfigError as error:
        raise ConfigError(f"{word} of HEALTHCHECK: {error.what}", remedy=error.remedy) from None


def _retries(text: str) -> int:
    number = whole_number(text)
    if number is None:
        raise ConfigError(f"{text!r} is no whole number", remedy="write it like 3")
    return number


_OPTIONS: Mapping[str, Callable[[str], float]] = {
    **{name.replace("_", "-"): go_duration for name in _TIMES},
    "retries": _retries,
}


def with_defaults(stack_file: StackFile, service: Service, image: Image | None) -> Service:
    """A service with what its Dockerfile says and the stack file leaves open.

    Args:
        stack_file: Where the service stands.
        service: The service.
        image: What its Dockerfile says; None without one.

    Raises:
        ConfigError: If it is stopped by a signal that there is none of.
    """
    check = service.healthcheck
    own = image.healthcheck if image is not None else None
    if own is not None:
        check = own if check is None else _joined(check, own)
    written = service.stop_signal or (image.stop_signal if image is not None else "")
    name = signal_name(written)
    if name is None:
        key = "stop_signal" if service.stop_signal else "build"
        raise stack_file.refusal(
            f"services.{service.name}.{key}",
            f"{service.name} can't be stopped by {written}",
            observed="this machine has no signal of that name or number"
            + ("" if service.stop_signal else "; it is the STOPSIGNAL of its Dockerfile"),
            remedy="write `stop_signal` with a signal such as SIGINT, or use --engine compose",
        )
    return replace(service, healthcheck=check, stop_signal=name)


def checked_by_another(
    service: Service, extension: Extension, image: Image | None
) -> Iterator[str]:
    """That the check of a Dockerfile may ask what only the Dockerfile's own command answers.

    Args:
        service: The service, as the stack file has it.
        extension: Its `x-stackproof`.
        image: What its Dockerfile says; None without one.
    """
    check = service.healthcheck
    is_asked = extension.ready is None and (check is None or not (check.test or check.disable))
    is_other = service.command is not None or service.entrypoint is not None
    if image is not None and image.healthcheck is not None and is_asked and is_other:
        yield (
            f"{service.name}: the HEALTHCHECK of its Dockerfile decides whether it is ready, as in "
            "a container, though it runs another command; `healthcheck: {disable: true}` in the "
            "stack file turns that off"
        )


def _joined(check: Healthcheck, own: Healthcheck) -> Healthcheck:
    """The check of a stack file; what it leaves open, or says as 0, is that of the image."""
    times = {name: getattr(check, name) or getattr(own, name) for name in _TIMES}
    return replace(check, test=check.test or own.test, **times)


def signal_name(written: str) -> str | None:
    """The full name of a signal, such as SIGINT for `INT` and `2`.

    Returns:
        The name; empty for an empty text, None for a signal that there is none of.
    """
    number = whole_number(written)
    if number is not None:
        return next((one.name for one in signal.Signals if one.value == number), None)
    name = written.upper()
    if name and not name.startswith("SIG"):
        name = f"SIG{name}"
    return name if not name or name in signal.Signals.__members__ else None
