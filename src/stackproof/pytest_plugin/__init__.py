"""The pytest plugin: fixtures, markers, and what a failing test leaves behind."""

from __future__ import annotations

import re
import secrets
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from stackproof.pytest_plugin import listing, repeating, running, used
from stackproof.pytest_plugin.cleanliness import Cleanliness
from stackproof.pytest_plugin.collecting import refuse_wrong_markers
from stackproof.pytest_plugin.concealing import WarningConcealer, conceal_items, conceal_report
from stackproof.pytest_plugin.llm import (
    CallCosts,
    note_calls,
    note_default_calls,
    require_asked,
    write_costs,
)
from stackproof.pytest_plugin.observing import oracle, settle
from stackproof.pytest_plugin.options import MARKERS, add_options, leave_default_paths
from stackproof.pytest_plugin.running import (
    artifacts_known,
    connected,
    connections,
    skipping_what_is_not_attached,
)
from stackproof.pytest_plugin.summary import summary_lines, write_uses

__all__ = ["oracle"]

if TYPE_CHECKING:
    from stackproof.stack.running import Stack
    from stackproof_gateway.client import GatewayClient

_END = pytest.StashKey[Cleanliness]()
_COSTS = pytest.StashKey[list[CallCosts]]()
_NEXT = pytest.StashKey["pytest.Item | None"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose a stack, list the tests, and those of the flake meter."""
    add_options(parser)
    listing.add_options(parser)
    repeating.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and choose the paths that are run."""
    leave_default_paths(config)
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    running.prepare(config)
    used.prepare(config)
    config.stash[_END] = end = Cleanliness()
    config.pluginmanager.register(end, "stackproof-cleanliness")
    config.pluginmanager.register(WarningConcealer(config), "stackproof-warnings")
    config.stash[_COSTS] = []


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Let a worker of pytest-xdist write to the session's own folder."""
    node.workerinput[running.RUN] = running.run_of(node.config)


@pytest.hookimpl(trylast=True)  # after the parameters of markers, so that the run comes last
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With `--flake-runs`, run each test so many times."""
    repeating.repeat(metafunc)


@pytest.hookimpl(wrapper=True, trylast=True)  # before `--lf` looks for the ids that it knows
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Mask secrets in the ids of tests, and refuse wrong markers."""
    report = yield
    items = [node for node in report.result or () if isinstance(node, pytest.Item)]
    conceal_items(collector.config, items)
    refuse_wrong_markers(report, collector.config)
    return report


@pytest.hookimpl(trylast=True)  # after pytest's own order by the scopes of fixtures
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `e2e_llm` tests out unless they were asked for; shuffle the runs of the flake meter."""
    _leave_out_unasked(config, items)
    repeating.shuffle(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """With `--scenario-list`, write the tests that are left."""
    listing.write_list(session)


def _leave_out_unasked(config: pytest.Config, items: list[pytest.Item]) -> None:
    words = set(re.findall(r"\w+", config.getoption("markexpr") or ""))
    if config.getoption("--llm") or "e2e_llm" in words:
        return
    left_out = [
        item
        for item in items
        if item.get_closest_marker("e2e_llm")
        and not any(mark.name in words for mark in item.iter_markers())
    ]
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
    tests there that ask for the same, "shared" is the running stack. Where the marker does not
    say, `--isolation` does; without both, a test with a marker gets a new stack, and one without
    what `isolation.default` of the configuration says.
    """
    return request.config.stash[used.ISOLATED].stack_for(request)


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a PostgreSQL database of the test's own: migrated, seeded, and dropped afterwards.

    For tests that need no other service. All databases of a test process are on one server, which
    is started from the snapshot after seed; they are cloned before they are asked for.
    """
    return request.config.stash[used.ISOLATED].database_for(request)


@pytest.fixture
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayClient]:
    """A client of the LLM gateway of the test's stack, in a namespace of this test's own."""
    from stackproof.errors import NotAttached, StackproofError
    from stackproof.suites.llm_session import require_mode

    name = "stack" if "stack" in request.fixturenames else "running_stack"
    found: Stack = request.getfixturevalue(name)
    try:
        client = found.gateway_for(_namespace(request.node.name))
        if request.config.getoption("--llm"):
            require_mode(client.base_url, request.config.getoption("--llm"))
    except NotAttached:
        raise
    except StackproofError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    gateways = request.config.stash[used.GATEWAYS]
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
    """Remember which test comes after this one."""
    item.stash[_NEXT] = nextitem
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Remember when the test, or a further try of it, began, for its slice of the logs.

    It is skipped if its fixtures need more of an attached stack than its addresses, and fails if a
    service of its stack has ended by itself.
    """
    used.begin(item)
    with skipping_what_is_not_attached():
        outcome = yield
    used.require_services(item)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """While the test runs, start the stacks that the next ones need; then judge what it saw."""
    item.config.stash[used.ISOLATED].start_ahead(_upcoming(item))
    with skipping_what_is_not_attached(), used.watched(item):
        outcome = yield
    settle(item)
    require_asked(item)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Note what the test's model calls without a namespace have cost, before its stack ends."""
    stack = used.isolated_stack(item)
    if stack is not None:
        note_default_calls(item, stack, item.config.stash[_COSTS])
    return (yield)


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
        used.keep_evidence(item, report)
    conceal_report(item.config, report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """End the stacks that nobody has taken, and fail if anything is left of any."""
    isolated = session.config.stash[used.ISOLATED]
    is_interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
    troubles = isolated.close(interrupted=is_interrupted)
    for connection in connections(session.config):
        connection.stack.close()
    write_uses(session.config, isolated.uses)
    costs = session.config.stash[_COSTS]
    write_costs(artifacts_known(session.config), costs)
    if not session.config.stash[_END].finish(session.config, troubles, interrupted=is_interrupted):
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
