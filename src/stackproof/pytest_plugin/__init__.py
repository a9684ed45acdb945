"""The pytest plugin: fixtures, markers, and what a failing test leaves behind."""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from stackproof.engines.timestamps import Moment
from stackproof.pytest_plugin import repeating
from stackproof.pytest_plugin.cleanliness import Cleanliness
from stackproof.pytest_plugin.concealing import WarningConcealer, conceal_items, conceal_report
from stackproof.pytest_plugin.llm import CallCosts, note_calls, write_costs
from stackproof.pytest_plugin.observing import history_of, oracle, settle
from stackproof.pytest_plugin.options import MARKERS, add_options
from stackproof.pytest_plugin.own import OwnStacks
from stackproof.pytest_plugin.running import (
    artifacts_known,
    artifacts_of,
    connected,
    connection_of,
    skipping_what_is_not_attached,
)
from stackproof.pytest_plugin.summary import summary_lines, write_uses

__all__ = ["oracle"]

if TYPE_CHECKING:
    from stackproof.artifacts.run import RunArtifacts
    from stackproof.gateway.client import GatewayClient
    from stackproof.stack.running import Stack

_OWN = pytest.StashKey[OwnStacks]()
_GATEWAYS = pytest.StashKey["dict[str, GatewayClient]"]()
_END = pytest.StashKey[Cleanliness]()
_COSTS = pytest.StashKey[list[CallCosts]]()
_STARTED = pytest.StashKey[Moment]()
_NEXT = pytest.StashKey["pytest.Item | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose a stack, and those of the flake meter."""
    add_options(parser)
    repeating.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_OWN] = OwnStacks(config)
    config.stash[_GATEWAYS] = {}
    config.stash[_END] = end = Cleanliness()
    config.pluginmanager.register(end, "stackproof-cleanliness")
    config.pluginmanager.register(WarningConcealer(config), "stackproof-warnings")
    config.stash[_COSTS] = []


@pytest.hookimpl(trylast=True)  # after the parameters of markers, so that the run comes last
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--flake-runs`, run each test so many times."""
    repeating.repeat(metafunc)


@pytest.hookimpl(wrapper=True, trylast=True)  # before `--lf` looks for the ids that it knows
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Mask secrets in the ids of tests."""
    report = yield
    items = [one for one in report.result or () if isinstance(one, pytest.Item)]
    conceal_items(collector.config, items)
    return report


@pytest.hookimpl(trylast=True)  # after pytest's own order by the scopes of fixtures
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `e2e_llm` tests out unless they were asked for; shuffle the runs of the flake meter."""
    _leave_out_unasked(config, items)
    repeating.shuffle(config, items)


def _leave_out_unasked(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = config.getoption("--llm") or "e2e_llm" in (config.getoption("markexpr") or "")
    if asked:
        return
    left_out = [item for item in items if item.get_closest_marker("e2e_llm")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def running_stack(request: pytest.FixtureRequest) -> Stack:
    """The stack that `invoke up`, or the nox session, has started."""
    return connected(request.config).stack


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack of the test's own, migrated and seeded: its own ports, data, folders and limits.

    `@pytest.mark.stack("name", isolation="test", profiles=[…], env={"api": {…}},
    limits={"worker": {"memory": "256m"}})`. Isolation "module" or "session" shares it with the
    tests there that ask for the same, "shared" is the running stack; where the marker does not
    say, `--isolation` does, else `isolation.default` of the configuration.
    """
    return request.config.stash[_OWN].stack_for(request)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a PostgreSQL database of the test's own: migrated, seeded, and dropped afterwards.

    For tests that need no other service. All databases of a test process are on one server, which
    is started from the snapshot after seed; they are cloned before they are asked for.
    """
    return request.config.stash[_OWN].database_for(request)


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayClient]:
    """A client of the LLM gateway of the test's stack, in a namespace of this test's own."""
    from stackproof.errors import NotAttached, StackproofError
    from stackproof.suites.llm_session import require_mode

    name = "stack" if "stack" in request.fixturenames else "running_stack"
    used: Stack = request.getfixturevalue(name)
    try:
        client = used.gateway_for(_namespace(request.node.name))
        if request.config.getoption("--llm"):
            require_mode(client.base_url, request.config.getoption("--llm"))
    except NotAttached:
        raise
    except StackproofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    gateways = request.config.stash[_GATEWAYS]
    gateways[request.node.nodeid] = client
    yield client
    gateways.pop(request.node.nodeid, None)
    note_calls(request.node, client, request.config.stash[_COSTS])
    client.close()


def _namespace(test: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", test.lower()).strip("-")[:40].strip("-")
    return f"{words}-{secrets.token_hex(4)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Remember when the test began, for its slice of the logs, and what comes after it."""
    item.stash[_STARTED] = Moment()
    item.stash[_NEXT] = nextitem
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Skip a test whose fixtures need more of an attached stack than its addresses."""
    with skipping_what_is_not_attached():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """While the test runs, start the stacks that the next ones need; then judge what it saw."""
    item.config.stash[_OWN].start_ahead(_upcoming(item))
    with skipping_what_is_not_attached():
        outcome = yield
    settle(item)
    return outcome


def _upcoming(item: pytest.Item) -> Iterator[pytest.Item]:
    """The tests that this process will run after an item, as far as that is known.

    A worker of pytest-xdist knows all tests, and that it will run the next one.
    """
    items, following = item.session.items, item.stash[_NEXT]
    if following is None:
        return iter(())
    if hasattr(item.config, "workerinput"):
        return iter((following,))
    return iter(items[items.index(following) :])


@pytest.hookimpl(wrapper=True, tryfirst=True)  # what other plugins add is masked as well
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what every service did during a failing test, and name the files in its report."""
    report = yield
    if report.failed:
        _keep_evidence(item, report)
    conceal_report(item.config, report)
    return report


def _keep_evidence(item: pytest.Item, report: pytest.TestReport) -> None:
    history = history_of(item)
    if history:
        report.sections.append(("stackproof oracle", "\n".join(history)))
    own = item.config.stash[_OWN]
    own.failed(item)
    used = own.stacks.get(item.nodeid)
    connection = connection_of(item.config)
    if used is not None:
        _keep(item, report, *used)
    elif connection is not None and {"running_stack", "stack"} & set(_fixtures(item)):
        artifacts = artifacts_of(item.config, connection.blueprint)
        _keep(item, report, connection.stack, artifacts)


def _keep(
    item: pytest.Item, report: pytest.TestReport, stack: Stack, artifacts: RunArtifacts
) -> None:
    from stackproof.artifacts.forensics import keep_failure

    paths = keep_failure(
        stack,
        artifacts,
        test=item.nodeid,
        since=item.stash[_STARTED].earliest(),
        gateway=item.config.stash[_GATEWAYS].get(item.nodeid),
        report=report.longreprtext,
        history=history_of(item),
    )
    report.sections.append((repeating.ARTIFACTS, "\n".join(map(str, paths))))


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", []))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the stacks that nobody has taken, and fail if anything is left of any."""
    own = session.config.stash[_OWN]
    troubles = own.close()
    write_uses(session.config, own.uses)
    costs = session.config.stash[_COSTS]
    write_costs(artifacts_known(session.config), costs)
    if not session.config.stash[_END].finish(session.config, troubles):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what the stacks of the tests have cost, what is left of them, and how often they fail."""
    if repeating.runs_wanted(config):
        terminalreporter.section("flake meter")
        for line in repeating.flake_lines(terminalreporter):
            terminalreporter.write_line(line)
    for line in summary_lines(terminalreporter):
        terminalreporter.write_line(line)
    end = config.stash[_END]
    for line in end.told:
        terminalreporter.write_line(f"stacks: {line}")
    if end.left:
        terminalreporter.section("left behind by stacks")
        for line in end.left:
            terminalreporter.write_line(line)
