"""What the marker `stack` of a test says, read strictly: a wrong word is an error that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackproof.errors import ConfigError
    from stackproof.stack_file.model import Limits

ISOLATIONS = ("shared", "session", "module", "test")
"""Whose a stack is: the running one, or a new one of the session, the module or the test."""

OPTIONS = ("env", "isolation", "limits", "name", "profiles", "shared")
BOUNDS = ("cpus", "memory", "pids")
EXAMPLES = {
    "env": 'write it like env={"worker": {"DELAY": "0"}}',
    "limits": 'write it like limits={"worker": {"cpus": 0.5, "memory": "256m"}}',
    "profiles": 'write it like profiles=["beat"]',
    "shared": 'write it like shared=["redis"]',
}


@dataclass(frozen=True)
class StackMarker:
    """What a marker says.

    Attributes:
        name: Name of the stack; None where it does not say.
        isolation: One of `ISOLATIONS`; None where it does not say.
        profiles: Profiles to switch on.
        env: Further variables by service.
        limits: Upper bounds by service.
        shared: Services that the stack shares with other ones; None for the configured ones.
    """

    name: str | None = None
    isolation: str | None = None
    profiles: tuple[str, ...] = ()
    env: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    shared: tuple[str, ...] | None = None

    @property
    def wishes(self) -> list[str]:
        """The options that only a new stack can honour."""
        return [name for name in ("env", "limits", "profiles", "shared") if getattr(self, name)]


def read_marker(args: Sequence[Any], options: Mapping[str, Any]) -> StackMarker:
    """What the arguments of `@pytest.mark.stack(…)` say.

    Args:
        args: The positional arguments.
        options: The keyword arguments.

    Raises:
        ConfigError: If one of them is unknown, or of another type.
    """
    for option in options:
        if option not in OPTIONS:
            raise _fault("", f"there is no option {option!r}", remedy=_meant(option, OPTIONS))
    if len(args) > 1 or (args and "name" in options):
        raise _fault("", "more than one stack is named", remedy="the other arguments have names")
    isolation = options.get("isolation")
    if isolation is not None and isolation not in ISOLATIONS:
        remedy = _meant(str(isolation), ISOLATIONS)
        raise _fault("isolation", f"there is no isolation {isolation!r}", remedy=remedy)
    shared = options.get("shared")
    return StackMarker(
        name=_name(args[0] if args else options.get("name")),
        isolation=isolation,
        profiles=_names("profiles", options.get("profiles", ())),
        env=_env(options.get("env", {})),
        limits=_limits(options.get("limits", {})),
        shared=None if shared is None else _names("shared", shared),
    )


def _name(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise _fault("", f"{value!r} is not the name of a stack", remedy="name config/<stack>.yaml")


def _names(option: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(name, str) and name for name in value
    ):
        return tuple(value)
    raise _fault(option, f"{value!r} is not a list of names", remedy=EXAMPLES[option])


def _by_service(option: str, value: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if not isinstance(value, Mapping):
        raise _fault(option, f"{value!r} does not say for which services", remedy=EXAMPLES[option])
    for service, inner in value.items():
        if not isinstance(inner, Mapping) or not all(isinstance(key, str) for key in inner):
            what = f"what {service} is to have is {inner!r}, not names with values"
            raise _fault(option, what, remedy=EXAMPLES[option])
        yield service, inner


def _env(value: object) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for service, variables in _by_service("env", value):
        for name, text in variables.items():
            if isinstance(text, bool) or not isinstance(text, str | int | float):
                what = f"{name} of {service} is {text!r}, not a text or a number"
                raise _fault("env", what, remedy="write the text that the service is to see")
        found[service] = {name: str(text) for name, text in variables.items()}
    return found


def _limits(value: object) -> dict[str, Limits]:
    from stackproof.stack_file import parse_size
    from stackproof.stack_file.model import Limits

    found: dict[str, Limits] = {}
    for service, bounds in _by_service("limits", value):
        for bound, most in bounds.items():
            if bound not in BOUNDS:
                remedy = _meant(bound, BOUNDS)
                raise _fault("limits", f"{service} has no limit {bound!r}", remedy=remedy)
            if bound != "memory" and not _is_positive(most, whole=bound == "pids"):
                what = f"{bound} of {service} is {most!r}, not a positive number"
                raise _fault("limits", what, remedy=EXAMPLES["limits"])
        memory = bounds.get("memory")
        size = None if memory is None else parse_size(memory)
        found[service] = Limits(bounds.get("cpus"), size, bounds.get("pids"))
    return found


def _is_positive(value: object, *, whole: bool) -> bool:
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and value > 0


def check_words(
    marker: StackMarker, stack: str, services: Mapping[str, Sequence[str]], active: Iterable[str]
) -> None:
    """Make sure that the services and profiles of a marker exist in the stack.

    Args:
        marker: What the marker says.
        stack: Name of the stack.
        services: All services of its stack file, each with its profiles.
        active: Those that the marker's stack starts.

    Raises:
        ConfigError: If one is unknown, or is not started.
    """
    profiles = sorted({profile for some in services.values() for profile in some})
    for profile in marker.profiles:
        if profile not in profiles and profile != "*":
            raise _fault(
                "profiles",
                f"the stack {stack} has no profile {profile!r}",
                observed=f"its profiles: {', '.join(profiles) or 'none'}",
                remedy=_meant(profile, profiles) if profiles else "remove it",
            )
    started = set(active)
    for option in ("env", "limits", "shared"):
        for service in getattr(marker, option) or ():
            if service not in services:
                raise _fault(
                    option,
                    f"the stack {stack} has no service {service!r}",
                    observed=f"its services: {', '.join(services)}",
                    remedy=_meant(str(service), services),
                )
            if service not in started:
                needed = " or ".join(services[service])
                raise _fault(
                    option,
                    f"{service} is not started in this stack",
                    observed=f"it needs the profile {needed}",
                    remedy=f'add profiles=["{services[service][0]}"], or remove {service}',
                )


def refuse_wishes(marker: StackMarker, why: str) -> None:
    """Make sure that a test which gets a shared stack does not ask for anything special.

    Args:
        marker: What the marker says.
        why: Why the stack is a shared one.

    Raises:
        ConfigError: If the marker has options that only a new stack can honour.
    """
    if marker.wishes:
        raise _fault(
            marker.wishes[0],
            f"a shared stack can't honour {', '.join(marker.wishes)}",
            observed=why,
            remedy='ask for a stack of the test\'s own by isolation="test", or remove '
            + ", ".join(marker.wishes),
        )


def _fault(option: str, what: str, *, observed: str = "", remedy: str) -> ConfigError:
    from stackproof.errors import ConfigError

    place = f"marker stack({option}=)" if option else "marker stack"
    return ConfigError(what, source=place, observed=observed, remedy=remedy)


def _meant(word: str, known: Iterable[str]) -> str:
    from stackproof.stack_file.reading.suggestion import did_you_mean

    return did_you_mean(word, known)
