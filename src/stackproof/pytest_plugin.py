"""The pytest plugin: fixtures, markers, and what a failing test leaves behind."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from stackproof.artifacts import RunArtifacts
    from stackproof.gateway.client import GatewayClient
    from stackproof.lifecycle import Blueprint, Choice
    from stackproof.stack import Stack
    from stackproof.stack_file.model import Limits

MARKERS = (
    "integration: a scenario that needs a running stack (nox -s integration)",
    "e2e: a scenario of a whole user journey (nox -s e2e)",
    "e2e_llm: a scenario that needs an LLM provider; only run when asked for (nox -s e2e_llm)",
    "stack(name, isolation=, profiles=, env=, limits=): the stack that the fixture `stack` gives",
)

ISOLATIONS = ("test", "module", "session")

_OWN = pytest.StashKey["OwnStacks"]()
_CONNECTION = pytest.StashKey["Connection | None"]()
_STARTED = pytest.StashKey[str]()


@dataclass
class Connection:
    """The stack that the tests of this session are connected to, and where failures are kept.

    Attributes:
        blueprint: What the stack was started from.
        stack: The running stack.
        artifacts: Where a failing test's files go.
        gateways: The gateway client of each test that has one.
    """

    blueprint: Blueprint
    stack: Stack
    artifacts: RunArtifacts
    gateways: dict[str, GatewayClient] = field(default_factory=dict)


class OwnStacks:
    """The isolated stacks of a session's tests.

    Args:
        config: The session's configuration.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.shared: dict[tuple[object, ...], Stack] = {}
        self.used: dict[str, tuple[Stack, RunArtifacts]] = {}
        self._artifacts: RunArtifacts | None = None

    def stack_for(self, request: pytest.FixtureRequest) -> Stack:
        """The stack that a test asks for; started now unless it shares one that is up."""
        marker = request.node.get_closest_marker("stack")
        options = dict(marker.kwargs) if marker else {}
        isolation = options.pop("isolation", "test")
        name = marker.args[0] if marker and marker.args else self.config.getoption("--stack")
        scope = _scope(request, isolation)
        key = (scope.nodeid, name, repr(sorted(options.items())))
        found = self.shared.get(key)
        if found is None:
            found = self._open(scope, key, self._choice(name, options))
        artifacts = self._artifacts
        assert artifacts is not None  # noqa: S101 - for the type checker: _open has made it
        self.used[request.node.nodeid] = (found, artifacts)
        return found

    def _choice(self, name: str | None, options: dict[str, Any]) -> Choice:
        from stackproof import lifecycle

        unknown = set(options) - {"profiles", "env", "limits"}
        if unknown:
            pytest.fail(f"the marker `stack` has no option {', '.join(unknown)}", pytrace=False)
        return lifecycle.Choice(
            root=self.config.rootpath,
            environment=dict(os.environ),
            stack=name,
            engine=self.config.getoption("--engine"),
            profiles=tuple(options.get("profiles", ())),
            service_environment=options.get("env", {}),
            service_limits={
                service: _limits(service, bounds)
                for service, bounds in options.get("limits", {}).items()
            },
        )

    def _open(self, scope: pytest.Item | pytest.Collector, key: Any, choice: Choice) -> Stack:
        from stackproof import lifecycle
        from stackproof.artifacts import RunArtifacts, new_run
        from stackproof.errors import StackproofError
        from stackproof.isolation import isolated_stack
        from stackproof.redaction import Redactor

        lines: list[str] = []
        try:
            blueprint = lifecycle.resolve(choice)
            folder: Path | None = self.config.getoption("--stack-artifacts")
            redactor = Redactor(blueprint.plan.secrets)
            if folder is None:
                self._artifacts = new_run(blueprint.settings.artifacts, "pytest", redactor)
            else:
                self._artifacts = RunArtifacts(folder, redactor)
            block = isolated_stack(choice, lines.append, artifacts=self._artifacts)
            self.shared[key] = stack = block.__enter__()
        except StackproofError as error:
            pytest.fail("\n".join([*lines, str(error)]), pytrace=False)

        def close() -> None:
            del self.shared[key]
            block.__exit__(None, None, None)

        scope.addfinalizer(close)
        return stack


def _scope(request: pytest.FixtureRequest, isolation: str) -> Any:
    """The node whose end ends the stack."""
    if isolation not in ISOLATIONS:
        pytest.fail(f"isolation={isolation!r} is none of {', '.join(ISOLATIONS)}", pytrace=False)
    if isolation == "test":
        return request.node
    return request.node.getparent(pytest.Module) if isolation == "module" else request.session


def _limits(service: str, bounds: dict[str, Any]) -> Limits:
    from stackproof.stack_file import parse_size
    from stackproof.stack_file.model import Limits

    unknown = set(bounds) - {"cpus", "memory", "pids"}
    if unknown:
        pytest.fail(f"limits of {service}: {', '.join(unknown)} is unknown", pytrace=False)
    memory = bounds.get("memory")
    size = parse_size(memory) if isinstance(memory, str) else memory
    return Limits(bounds.get("cpus"), size, bounds.get("pids"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose a stack."""
    group = parser.getgroup("stackproof", "stackproof: tests against real services")
    group.addoption("--stack", help="name of config/<stack>.yaml")
    group.addoption("--engine", choices=["process", "compose"], help="what runs the services")
    group.addoption(
        "--llm",
        choices=["fake", "replay", "record", "live"],
        help="LLM provider of e2e_llm tests; giving it asks for them to run",
    )
    group.addoption("--stack-project", help="name of the running copy of the stack")
    group.addoption("--stack-artifacts", type=Path, help="folder that failing tests write to")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[_CONNECTION] = None
    config.stash[_OWN] = OwnStacks(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave `e2e_llm` tests out unless they were asked for by marker or by `--llm`."""
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
    return _connect(request.config).stack


@pytest.fixture
def gateway(request: pytest.FixtureRequest, running_stack: Stack) -> Iterator[GatewayClient]:
    """A client of the stack's LLM gateway, in a namespace of this test's own."""
    from stackproof.gateway.client import GatewayClient

    connection = _connect(request.config)
    service = connection.blueprint.settings.gateway_service
    if service is None:
        pytest.fail(
            f"the stack {running_stack.plan.stack} has no gateway; add `gateway: "
            "{service: NAME}` to its config/<stack>.yaml",
            pytrace=False,
        )
    client = GatewayClient(running_stack.url(service), _namespace(request.node.name))
    connection.gateways[request.node.nodeid] = client
    yield client
    connection.gateways.pop(request.node.nodeid, None)
    client.close()


@pytest.fixture
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack of the test's own, migrated and seeded: its own ports, data, folders and limits.

    `@pytest.mark.stack("name", isolation="test", profiles=[…], env={"api": {…}},
    limits={"worker": {"memory": "256m"}})`; isolation "module" or "session" shares it with the
    tests there that ask for the same.
    """
    own = request.config.stash[_OWN]
    return own.stack_for(request)


def _namespace(test: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", test.lower()).strip("-")[:40].strip("-")
    return f"{words}-{secrets.token_hex(4)}"


def _connect(config: pytest.Config) -> Connection:
    connection = config.stash[_CONNECTION]
    if connection is None:
        connection = _open(config)
        config.stash[_CONNECTION] = connection
    return connection


def _open(config: pytest.Config) -> Connection:
    from stackproof import lifecycle
    from stackproof.artifacts import RunArtifacts, new_run
    from stackproof.errors import StackproofError
    from stackproof.redaction import Redactor

    choice = lifecycle.Choice(
        root=config.rootpath,
        environment=dict(os.environ),
        stack=config.getoption("--stack"),
        engine=config.getoption("--engine"),
        project=config.getoption("--stack-project"),
    )
    try:
        blueprint = lifecycle.resolve(choice)
        stack = lifecycle.connect(blueprint)
    except StackproofError as error:
        pytest.fail(f"{error}", pytrace=False)
    redactor = Redactor(stack.plan.secrets)
    folder: Path | None = config.getoption("--stack-artifacts")
    if folder is None:
        artifacts = new_run(blueprint.settings.artifacts, "pytest", redactor)
    else:
        artifacts = RunArtifacts(folder, redactor)
    return Connection(blueprint, stack, artifacts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Remember when the test began, for its slice of the logs."""
    item.stash[_STARTED] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what every service did during a failing test, and name the files in its report."""
    report = yield
    used = item.config.stash[_OWN].used.get(item.nodeid)
    if report.failed and used is not None:
        _keep(item, report, *used)
    connection = item.config.stash[_CONNECTION]
    if report.failed and connection is not None and "running_stack" in _fixtures(item):
        _keep(item, report, connection.stack, connection.artifacts)
    return report


def _keep(
    item: pytest.Item, report: pytest.TestReport, stack: Stack, artifacts: RunArtifacts
) -> None:
    from stackproof.forensics import keep_failure

    connection = item.config.stash[_CONNECTION]
    paths = keep_failure(
        stack,
        artifacts,
        test=item.nodeid,
        since=item.stash[_STARTED],
        gateway=connection.gateways.get(item.nodeid) if connection else None,
        report=report.longreprtext,
    )
    report.sections.append(("stackproof artifacts", "\n".join(map(str, paths))))


def _fixtures(item: pytest.Item) -> list[str]:
    return list(getattr(item, "fixturenames", []))
