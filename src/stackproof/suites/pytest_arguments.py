"""What pytest is told of a suite: its tests, its stack, and where its artifacts go."""

from __future__ import annotations

from collections.abc import Sequence

from stackproof.artifacts.run import RunArtifacts
from stackproof.lifecycle import ResolvedStack


def replaceable(paths: Sequence[str]) -> list[str]:
    """Arguments of pytest: run these paths, unless a person names others."""
    return [*paths, *(f"--default-path={path}" for path in paths)]


def collection_arguments(resolved: ResolvedStack, name: str) -> list[str]:
    """What pytest has to know to find the tests of a suite."""
    plan, suite = resolved.plan, resolved.settings.suite(name)
    return [
        *replaceable(suite.paths),
        "-m",
        suite.marker,
        f"--stack={plan.stack}",
        f"--engine={plan.engine}",
    ]


def pytest_arguments(resolved: ResolvedStack, name: str, artifacts: RunArtifacts) -> list[str]:
    """What pytest is told of a suite and of its stack."""
    return [
        *collection_arguments(resolved, name),
        f"--stack-artifacts={artifacts.folder}",
        f"--junitxml={artifacts.folder / 'junit.xml'}",
    ]


def stack_options(resolved: ResolvedStack) -> list[str]:
    """For pytest: profiles that tests can count on, services left out, where coverage goes."""
    measured = resolved.request.coverage
    return [
        *(f"--stack-profile={profile}" for profile in resolved.settings.profiles),
        *(f"--stack-without={name}" for name in resolved.request.without),
        *([f"--stack-coverage={measured}"] if measured else []),
    ]
