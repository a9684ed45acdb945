"""Judges the markers `stack` of the tests that are collected, before any of them runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from stackproof.pytest_plugin.markers import check_words, refuse_wishes
from stackproof.pytest_plugin.options import Wish, wish_of

if TYPE_CHECKING:
    from stackproof.stack.resolved import StackRequest

_WORDS = pytest.StashKey["dict[object, _Words | None]"]()

_Words = tuple[str, Mapping[str, Sequence[str]], Iterable[str]]
"""Name of a stack, the profiles of each of its services, and the services that it starts."""


def refuse_wrong_markers(report: pytest.CollectReport, config: pytest.Config) -> None:
    """Let the collection of a file fail where a marker of its tests is wrong.

    Args:
        report: What was collected.
        config: The session's configuration.
    """
    faults: dict[str, list[str]] = {}
    for item in report.result or ():
        if isinstance(item, pytest.Item) and item.get_closest_marker("stack"):
            fault = _fault_of(item, config)
            if fault:
                faults.setdefault(fault, []).append(item.nodeid)
    if faults:
        report.outcome = "failed"
        report.longrepr = "\n".join(_told(fault, tests) for fault, tests in faults.items())


def _told(fault: str, tests: Sequence[str]) -> str:
    others = len(tests) - 1
    more = "" if not others else f" and {others} other test{'s' if others > 1 else ''}"
    return f"{tests[0]}{more}: {fault}"


def _fault_of(item: pytest.Item, config: pytest.Config) -> str:
    """What is wrong with the marker of a test, as text; empty for nothing."""
    from stackproof.errors import ConfigError

    try:
        wish = wish_of(item)
        marker = wish.marker
        if marker is None:
            return ""
        words = _words_of(wish.stack_request, config)
        if words is not None:
            check_words(marker, *words)
        why = _why_shared(item, wish)
        if why:
            refuse_wishes(marker, why)
    except ConfigError as error:
        return str(error)
    return ""


def _why_shared(item: pytest.Item, wish: Wish) -> str:
    """Why a test gets a stack that others use as well; empty where it does not."""
    fixtures = getattr(item, "fixturenames", ())
    if "running_stack" in fixtures and "stack" not in fixtures:
        return "the fixture running_stack gives the stack that is up; the fixture stack a new one"
    if wish.isolation != "shared":
        return ""
    is_said = wish.marker is not None and wish.marker.isolation
    return 'the marker says isolation="shared"' if is_said else "--isolation=shared was given"


def _words_of(stack_request: StackRequest, config: pytest.Config) -> _Words | None:
    """What a marker may name; None where the configuration can't be read, as each test will say.

    Raises:
        ConfigError: If there is no stack of that name.
    """
    known = config.stash.setdefault(_WORDS, {})
    asked = stack_request
    key = (asked.stack, asked.engine, asked.profiles, asked.without)
    if key not in known:
        known[key] = _read_words(stack_request)
    return known[key]


def _read_words(stack_request: StackRequest) -> _Words | None:
    from stackproof.errors import ConfigError, StackproofError
    from stackproof.plan.profiles import load_wanted
    from stackproof.settings import load_settings, stacks
    from stackproof.stack_file import select_services
    from stackproof.stack_file.reading.suggestion import did_you_mean

    names = stacks(stack_request.root)
    if stack_request.stack is not None and names and stack_request.stack not in names:
        raise ConfigError(
            f"there is no stack {stack_request.stack!r}",
            source="marker stack",
            observed=f"the stacks of this project: {', '.join(names)}",
            remedy=did_you_mean(stack_request.stack, names),
        )
    overrides = {
        "engine": stack_request.engine,
        "profiles": list(stack_request.profiles),
        "without": list(stack_request.without),
    }
    try:
        settings = load_settings(
            stack_request.root,
            stack=stack_request.stack,
            environment=stack_request.environment,
            overrides=overrides,
        )
        stack_file = load_wanted(settings)
        profiles_on = settings.profiles or stack_file.default_profiles
        active = list(select_services(stack_file, profiles_on))
    except StackproofError:
        return None
    profiles = {name: service.profiles for name, service in stack_file.services.items()}
    return settings.stack, profiles, active
