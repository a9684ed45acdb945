"""The stack that a test uses: its services must live, and a failure keeps what they did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from stackproof.engines.timestamps import Moment
from stackproof.pytest_plugin import repeating
from stackproof.pytest_plugin.isolated import IsolatedStacks
from stackproof.pytest_plugin.model_calls import CallsOfTest, forget
from stackproof.pytest_plugin.observing import history_of
from stackproof.pytest_plugin.running import artifacts_of, connection_of, connections
from stackproof.waiting import watched_by

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.engines.network_faults import NetworkFault
    from stackproof.errors import StackproofError
    from stackproof.stack.running import Stack
    from stackproof_gateway.client import GatewayClient

ISOLATED = pytest.StashKey[IsolatedStacks]()
GATEWAYS: pytest.StashKey[dict[str, GatewayClient]] = pytest.StashKey()
_STARTED = pytest.StashKey[Moment]()
_CALLED = pytest.StashKey[Moment]()
_ENDED = pytest.StashKey["dict[tuple[str, str], str]"]()


def prepare(config: pytest.Config) -> None:
    """Begin a session in which no test has used a stack."""
    config.stash[ISOLATED] = IsolatedStacks(config)
    config.stash[GATEWAYS] = {}
    config.stash[_ENDED] = {}


def begin(item: pytest.Item) -> None:
    """Remember when a test, or a further try of it, begins: its slice of the logs."""
    item.stash[_STARTED] = item.stash[_CALLED] = Moment()
    item.config.stash[ISOLATED].stacks.pop(item.nodeid, None)
    forget(item)


def _stack_of(item: pytest.Item) -> tuple[Stack, RunArtifacts] | None:
    """The stack that a test uses, with the artifacts of the session, if it uses one."""
    used = item.config.stash[ISOLATED].stacks.get(item.nodeid)
    connection = connection_of(item.config)
    if (
        used is None
        and connection is not None
        and "running_stack" in getattr(item, "fixturenames", ())
    ):
        return connection.stack, artifacts_of(item.config, connection.resolved)
    return used


def isolated_stack(item: pytest.Item) -> Stack | None:
    """The isolated stack of a test, if it has one: nobody else uses it while the test runs."""
    found = item.config.stash[ISOLATED].stacks.get(item.nodeid)
    return None if found is None or _is_shared(item, found[0]) else found[0]


def _is_shared(item: pytest.Item, stack: Stack) -> bool:
    """Whether others may use a stack: the one that `invoke up` or the nox session started."""
    return any(connection.stack is stack for connection in connections(item.config))


def require_services(item: pytest.Item) -> None:
    """Fail a test, before it begins, if a service of its stack is out of action."""
    from stackproof.errors import StackproofError

    used = _stack_of(item)
    if used is None:
        return
    stack, ended_by = used[0], item.config.stash[_ENDED]
    try:
        for name in sorted(stack.ended):
            if (stack.plan.project, name) in ended_by:
                _require_back(stack, name, ended_by[stack.plan.project, name])
        for pair, fault in stack.faults.items():
            if (stack.plan.project, str(sorted(pair))) in ended_by:
                raise _not_healed(fault, ended_by[stack.plan.project, str(sorted(pair))])
        stack.require_alive()
    except StackproofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None


def _require_back(stack: Stack, name: str, test: str) -> None:
    from stackproof.errors import StackproofError
    from stackproof.stack.diagnosis import describe

    state = stack.service(name).state()
    if state.is_well:
        stack.ended.discard(name)
        return
    raise StackproofError(
        f"{name} is out of action since an earlier test of the same stack",
        observed=f"{describe(state)}\nit was well before {test}",
        remedy="start it again at the end of that test (`with service.stopped():` does), or give "
        'each test a stack of its own: isolation="test"',
    )


def _not_healed(fault: NetworkFault, test: str) -> StackproofError:
    from stackproof.errors import StackproofError

    return StackproofError(
        "the network is broken since an earlier test of the same stack",
        observed=f"{fault}\nit was broken by {test}",
        remedy="heal it at the end of that test (`with stack.network.cut(…):` does), or give each "
        'test a stack of its own: isolation="test"',
    )


@contextmanager
def watched(item: pytest.Item) -> Iterator[None]:
    """While a test runs, let its waits end if a service does; note which ones it ends itself."""
    item.stash[_CALLED] = Moment()
    used = _stack_of(item)
    if used is None:
        yield
        return
    stack, before = used[0], _out_of_order(used[0])
    try:
        with watched_by(stack.watch):
            yield
    finally:
        ended_by = item.config.stash[_ENDED]
        for name in _out_of_order(stack) - before:
            ended_by[stack.plan.project, name] = item.nodeid


def _out_of_order(stack: Stack) -> set[str]:
    """Services that tests have ended, and pairs of them whose network tests have broken."""
    return stack.ended | {str(sorted(pair)) for pair in stack.faults}


def keep_evidence(item: pytest.Item, report: pytest.TestReport) -> None:
    """Keep what every service did during a failing test, and name the files in its report."""
    from stackproof.artifacts.forensics import keep_failure

    history = history_of(item)
    if history:
        report.sections.append(("stackproof oracle", "\n".join(history)))
    item.config.stash[ISOLATED].failed(item)
    used = _stack_of(item)
    if used is None:
        return
    stack, artifacts = used
    shared_since = item.stash[_STARTED] if _is_shared(item, stack) else None
    kept = keep_failure(
        stack,
        artifacts,
        test=item.nodeid,
        began=item.stash[_STARTED],
        called=item.stash[_CALLED].wall,
        gateway=CallsOfTest(
            item, stack, item.config.stash[GATEWAYS].get(item.nodeid), shared_since
        ),
        report=report.longreprtext,
        phase=report.when,
        history=history,
    )
    if kept.verdict:
        report.sections.append(("stackproof verdict", "\n".join(kept.verdict)))
    report.sections.append((repeating.ARTIFACTS, "\n".join(map(str, kept.files))))
