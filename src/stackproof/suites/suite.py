"""A suite as a list of named steps: up, migrate, seed, test, collect, down, whatever fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof import lifecycle
from stackproof.artifacts.forensics import collect, read_journal
from stackproof.artifacts.run import RunArtifacts, new_run
from stackproof.artifacts.timeline import Timeline
from stackproof.engines.base import Say
from stackproof.errors import Refused, StackproofError, masked_errors
from stackproof.lifecycle import ResolvedStack, Started
from stackproof.plan.model import Plan
from stackproof.settings import Settings
from stackproof.settings.llm_choice import FAKE
from stackproof.suites.llm_session import describe_bill, read_bill, require_mode, require_replayed
from stackproof.suites.measuring import measured, report_coverage
from stackproof.suites.pytest_arguments import pytest_arguments, stack_options
from stackproof.waiting import reminding
from stackproof_redaction import Redactor

RunPytest = Callable[[Sequence[str], Mapping[str, str]], bool]
"""Runs pytest with arguments and further environment; tells whether all tests passed."""


@dataclass(frozen=True)
class SuiteRequest:
    """What a person asked for.

    Attributes:
        root: The project's folder.
        environment: The process environment.
        suite: Name of the suite, which is its marker as well.
        stack: Name of the stack; None where there is only one.
        engine: Name of the engine; None for the configured one.
        profiles: Profiles beside those that the suite's configuration names.
        without: Services that are left out beside those of the settings.
        keep: Leave the stack up after a failure.
        llm: Variables that tell the gateway who answers the model calls; None where nothing was
            chosen: then it answers by itself, whatever else is set.
        isolation: Whose the stack of a test is; None for what the suite's configuration says.
    """

    root: Path
    environment: Mapping[str, str]
    suite: str
    stack: str | None = None
    engine: str | None = None
    profiles: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    keep: bool = False
    llm: Mapping[str, str] | None = None
    isolation: str | None = None

    @property
    def name(self) -> str:
        """What a person calls it."""
        return f"{self.suite} of {self.stack}" if self.stack else self.suite


def read_request(request: SuiteRequest) -> ResolvedStack:
    """What a request leads to, before anything is started.

    Args:
        request: What to run.

    Raises:
        ConfigError: If a setting, the stack file or an option is wrong.
    """
    resolved = lifecycle.resolve(_choice(request))
    _refuse_missing_paths(resolved.settings, request.suite)
    return resolved


def _refuse_missing_paths(settings: Settings, suite: str) -> None:
    """Refuse a path that the configuration names and nobody has made: its tests would not run."""
    for path in settings.suite(suite).paths:
        if path != f"tests/{suite}" and not (settings.root / path).exists():
            raise settings.refusal(
                ("suites", suite, "paths"),
                f"the suite {suite} has no tests: {path} does not exist",
                remedy="correct the path, or make the folder",
            )


def run_suite(request: SuiteRequest, run_pytest: RunPytest, say: Say) -> bool:
    """Run a suite against a stack of its own, on free ports, and take the stack down again.

    Where every test, module or session has its own stack, none is started for the suite.

    Args:
        request: What to run.
        run_pytest: How to run pytest.
        say: Takes each line of progress.

    Returns:
        Whether every step and every test passed.

    Raises:
        StackproofError: If a step before or after the tests fails; the stack is taken down.
    """
    with reminding(say, "removing what earlier runs have left") as tell:
        resolved = lifecycle.prepare(_choice(request), tell)
    paths = resolved.settings.suite(request.suite).paths
    if not has_tests(request.root, paths):
        say(f"there are no {request.suite} scenarios yet in {', '.join(paths)}; nothing to do")
        return True
    if request.llm is not None and resolved.settings.gateway_service is None:
        raise Refused(
            f"--llm has no effect: {resolved.settings.stack} has no gateway",
            remedy=f"add `gateway: {{service: NAME}}` to config/{resolved.settings.stack}.yaml",
        )
    artifacts = _artifacts(resolved, request.suite)
    resolved = measured(resolved, artifacts)
    run = _Run(request, resolved, artifacts, Timeline(), lambda line: say(run.mask(line)))
    with masked_errors(run.mask):
        try:
            if run.isolation == "shared" and resolved.plan.engine != "attached":
                return run.steps(run_pytest)
            return run.tests_only(run_pytest)
        finally:
            run.close()


def has_tests(root: Path, paths: Sequence[str]) -> bool:
    """Whether a suite's paths hold any test file."""
    found = [root / path for path in paths]
    return any(path.is_file() or any(path.rglob("test_*.py")) for path in found)


@dataclass
class _Run:
    request: SuiteRequest
    resolved: ResolvedStack
    artifacts: RunArtifacts
    timeline: Timeline
    say: Say
    passed: bool = False

    def mask(self, text: str) -> str:
        """A text without the secrets of the stack, those made for this run included."""
        return self.artifacts.redactor.text(text)

    def steps(self, run_pytest: RunPytest) -> bool:
        with self._step("up", "starting") as say:
            started = lifecycle.up(self.resolved, say, hold=True, artifacts=self.artifacts)
        secrets = (*self.resolved.plan.secrets, *started.stack.plan.secrets)
        self.artifacts = replace(self.artifacts, redactor=Redactor(secrets))
        try:
            with self._step("migrate", "migrating") as say:
                lifecycle.migrate(self.resolved, started.stack, say)
            self._require_llm(started)
            with self._step("seed", "seeding") as say:
                lifecycle.seed(self.resolved, started.stack, say)
            started.stack.require_alive()
            project = f"--stack-project={self.resolved.plan.project}"
            passed = self._test(run_pytest, project, *self._of_isolated_stacks())
            self._require_replayed(started)
            return passed
        finally:
            self._end(started)

    @contextmanager
    def _step(self, name: str, doing: str) -> Iterator[Say]:
        """A step of the timeline, in which somebody hears what is waited for."""
        project = self.resolved.plan.project
        with self.timeline.step(name), reminding(self.say, f"{doing} {project}") as say:
            yield say

    @property
    def isolation(self) -> str:
        """Whose the stack of a test is."""
        suite = self.resolved.settings.suite(self.request.suite)
        return self.request.isolation or suite.isolation

    def tests_only(self, run_pytest: RunPytest) -> bool:
        """Run the tests, each of which has its stack started by the plugin."""
        try:
            passed = self._test(run_pytest, *self._of_isolated_stacks())
            self._require_replayed()
            return passed
        finally:
            if not (self.request.keep and not self.passed):  # else stacks of failing tests are up
                report_coverage(self.resolved, self.say)

    def _of_isolated_stacks(self) -> list[str]:
        """What pytest is told of the stacks that it starts for tests."""
        return [*stack_options(self.resolved), *(["--stack-keep"] if self.request.keep else [])]

    def _test(self, run_pytest: RunPytest, *options: str) -> bool:
        arguments = pytest_arguments(self.resolved, self.request.suite, self.artifacts)
        asked = self.request.isolation
        isolation = f"--isolation={asked}" if asked else f"--default-isolation={self.isolation}"
        with self.timeline.step("test") as step:
            self.passed = run_pytest([*arguments, isolation, *options], self.request.llm or FAKE)
            step.outcome = "passed" if self.passed else "failed"
        return self.passed

    def _end(self, started: Started) -> None:
        """Collect and take down; a failure here is said, and never hides the first one."""
        with self._step("collect", "collecting the artifacts of"):
            self._attempt("collecting artifacts", lambda: collect(started.stack, self.artifacts))
            self._attempt("collecting the gateway's journal", lambda: self._keep_journal(started))
        if self.request.keep and not self.passed:
            if started.lease is not None:
                started.lease.release()
            self.say(f"the stack is left up: {how_to_look_around(self.resolved.plan)}")
            return
        with self._step("down", "stopping") as say:
            lifecycle.down(self.resolved, say, force=True)
        started.let_go()
        report_coverage(self.resolved, self.say)

    def _attempt(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except (StackproofError, OSError) as error:
            self.say(f"{what} failed: {error}")

    def _keep_journal(self, started: Started) -> None:
        service = self.resolved.settings.gateway_service
        if service is None:
            return
        url = started.stack.url(service)
        journal = read_journal(url, started.stack.plan.gateway_token)
        self.artifacts.write_json("gateway-journal.json", journal)

    def _require_llm(self, started: Started) -> None:
        """Make sure that whoever was chosen is who answers the model calls."""
        service = self.resolved.settings.gateway_service
        if self.request.llm is not None and service is not None:
            require_mode(started.stack.url(service), self.request.llm["GATEWAY_LLM"])

    def _require_replayed(self, started: Started | None = None) -> None:
        """Make sure that a replay that has passed has replayed something."""
        if not self.passed:
            return
        service, gateway = self.resolved.settings.gateway_service, None
        if started is not None and service is not None:
            token = started.stack.plan.gateway_token
            gateway = started.stack.url(service) + (f"/k/{token}" if token else "")
        self.passed = False  # until it is known: `--keep` leaves the stack of a failure up
        require_replayed(self.artifacts.folder, self.request.llm or FAKE, gateway)
        self.passed = True

    def close(self) -> None:
        """Write what is known of the run itself, and say where it is and what it has cost."""
        self.artifacts.write_json("timings.json", self.timeline.to_json())
        self.artifacts.mask_files()
        for line in self.timeline.table():
            self.say(line)
        bill = read_bill(self.request.llm or FAKE)
        if bill is not None:
            self.artifacts.write_json("bill.json", bill)
            for line in describe_bill(bill):
                self.say(line)
        self.say(f"artifacts: {self.artifacts.folder}")


def test_running(
    resolved: ResolvedStack, suite_name: str, arguments: Sequence[str], run_pytest: RunPytest
) -> bool:
    """Run a suite's tests against the stack that is up, and collect what it leaves.

    Args:
        resolved: The running stack.
        suite_name: Name of the suite.
        arguments: Further arguments of pytest.
        run_pytest: How to run pytest.

    Returns:
        Whether all tests passed.

    Raises:
        NoStack: If the stack is not up.
    """
    stack = lifecycle.connect(resolved)
    stack.require_alive()
    artifacts = _artifacts(resolved, suite_name)
    try:
        chosen = pytest_arguments(resolved, suite_name, artifacts)
        project = f"--stack-project={resolved.plan.project}"
        running = ["--default-isolation=shared", project, *stack_options(resolved)]
        return run_pytest([*chosen, *running, *arguments], {})
    finally:
        collect(stack, artifacts)
        artifacts.mask_files()


def _artifacts(resolved: ResolvedStack, suite_name: str) -> RunArtifacts:
    """The folder of a run; those of the compose engine stand beside those without Docker."""
    name = f"docker-{suite_name}" if resolved.plan.engine == "compose" else suite_name
    return new_run(resolved.settings.artifacts, name, Redactor(resolved.plan.secrets))


def how_to_look_around(plan: Plan) -> str:
    """Commands that show a stack which was left up, and the one that takes it down."""
    options = f"--stack {plan.stack} --project {plan.project}"
    verbs = ("status", "logs", "down")
    return ", ".join(f"`invoke {verb} {options}`" for verb in verbs)


def _choice(request: SuiteRequest) -> lifecycle.StackRequest:
    return lifecycle.StackRequest(
        root=request.root,
        environment={**request.environment, **(request.llm or FAKE)},
        stack=request.stack,
        engine=request.engine,
        profiles=request.profiles,
        without=request.without,
        suite=request.suite,
    )
