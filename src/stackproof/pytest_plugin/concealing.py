"""Masks secrets in what pytest itself keeps and shows: ids of tests, reports, the terminal."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof_redaction import Redactor

FIXTURES = frozenset({"stack", "running_stack", "gateway", "database"})
"""Fixtures of tests that have to do with a stack, and so with its secrets."""

IS_CONCEALED = pytest.StashKey[bool]()
"""Set for a test that has another id, by which pytest can't find it on a command line."""

_SECRETS = pytest.StashKey[frozenset[str]]()
_IN_REPORTS = ("nodeid", "location", "longrepr", "sections", "user_properties")


def learn(config: pytest.Config, secrets: Iterable[str]) -> None:
    """Mask further values in all that is still to come of this session."""
    from stackproof_redaction.streams import MaskedStream

    known: frozenset[str] = config.stash.get(_SECRETS, frozenset())
    config.stash[_SECRETS] = known | frozenset(secrets)
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and not known and config.stash[_SECRETS]:
        writer = reporter._tw  # noqa: SLF001 - the only way to what it writes to
        writer._file = MaskedStream(writer._file, lambda text: redactor_of(config).text(text))  # noqa: SLF001


def redactor_of(config: pytest.Config) -> Redactor:
    """What masks the secrets of all stacks that this session knows."""
    from stackproof_redaction import Redactor

    known: frozenset[str] = config.stash.get(_SECRETS, frozenset())
    return Redactor(known)


def conceal_items(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Give tests whose ids hold a secret, such as a parameter, another id.

    It is what `junit.xml`, pytest's cache, the terminal and artifacts name them by.

    Args:
        config: The session's configuration.
        items: The tests that were collected.
    """
    concerned = [item for item in items if FIXTURES & set(getattr(item, "fixturenames", ()))]
    if not concerned:
        return
    learn(config, _configured_secrets(concerned))
    redactor = redactor_of(config)
    taken = {item.nodeid for item in items}
    for item in items if redactor else ():
        masked = redactor.text(item.nodeid)
        if masked != item.nodeid:
            suffix = next(end for end in _suffixes() if masked + end not in taken)
            taken.add(masked + suffix)
            _rename(item, masked + suffix, redactor.text(item.name) + suffix)
            item.stash[IS_CONCEALED] = True


def _rename(item: Any, nodeid: str, name: str) -> None:
    """Give a test another id, for which pytest has no public way."""
    if hasattr(item, "_id"):  # since pytest 9.1
        item._id = type(item._id).parse(nodeid)  # noqa: SLF001 - as above
    else:
        item._nodeid = nodeid  # noqa: SLF001 - as above
    item.name = name
    vars(item).pop("location", None)  # it is made of the name, once


def _suffixes() -> Iterable[str]:
    yield ""
    number = 2
    while True:
        yield f"-{number}"
        number += 1


def _configured_secrets(items: Sequence[pytest.Item]) -> set[str]:
    """The secrets of the stacks that tests ask for, as far as their configuration is right."""
    from stackproof.errors import StackproofError
    from stackproof.pytest_plugin.options import wish_of
    from stackproof.stack.resolved import resolve

    found: set[str] = set()
    seen: set[object] = set()
    for item in items:
        try:
            stack_request = wish_of(item).stack_request
            key = (
                stack_request.stack,
                stack_request.engine,
                repr(stack_request.service_environment),
            )
            if key not in seen:
                seen.add(key)
                found |= set(resolve(stack_request).plan.secrets)
        except StackproofError:
            continue  # the test itself will say so
    return found


def conceal_report(config: pytest.Config, report: pytest.TestReport) -> None:
    """Mask secrets in a report, in place."""
    redactor = redactor_of(config)
    if not redactor:
        return
    plain = config.hook.pytest_report_to_serializable(config=config, report=report)
    kept = {name: plain[name] for name in _IN_REPORTS}
    masked: Any = redactor.value(kept, numbers=False)
    if masked == _as_json(kept):
        return
    made = config.hook.pytest_report_from_serializable(config=config, data={**plain, **masked})
    for name in _IN_REPORTS:
        setattr(report, name, _as_before(getattr(report, name), getattr(made, name)))


class WarningConcealer:
    """Masks secrets in warnings, before a worker of pytest-xdist sends them to the session.

    Args:
        config: The session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Put the masked text in place of the warning's."""
        before = str(warning_message.message)
        masked = redactor_of(self.config).text(before)
        if masked != before:
            warning_message.message = UserWarning(masked)


def _as_json(value: object) -> object:
    """The same value as JSON has it: lists in the place of tuples."""
    from stackproof_redaction import Redactor

    return Redactor().value(value, numbers=False)


def _as_before(before: object, after: Any) -> Any:
    if isinstance(before, tuple) and isinstance(after, list):
        return tuple(after)
    if isinstance(before, list) and isinstance(after, list):
        return [tuple(part) if isinstance(part, list) else part for part in after]
    return after
