"""The coverage of the services of a session's stacks: where it goes, and its report."""

from __future__ import annotations

from dataclasses import replace

from stackproof.artifacts.run import RunArtifacts
from stackproof.artifacts.service_coverage import combine
from stackproof.engines.base import Say
from stackproof.lifecycle import ResolvedStack


def measured(resolved: ResolvedStack, artifacts: RunArtifacts) -> ResolvedStack:
    """The same with a place for the coverage of its services, where it is measured.

    Args:
        resolved: The stack of a suite.
        artifacts: Where the session's artifacts go.
    """
    if not resolved.settings.coverage or resolved.plan.engine != "process":
        return resolved
    request = replace(resolved.request, coverage=artifacts.folder / "coverage")
    return replace(resolved, request=request)


def report_coverage(resolved: ResolvedStack, say: Say) -> None:
    """Report what the services of all stacks of the session have measured, if it was asked for.

    Args:
        resolved: What `measured` gave.
        say: Takes the total, or why there is none.
    """
    if resolved.request.coverage is not None:
        say(combine(resolved.request.coverage))
    elif resolved.settings.coverage:
        say(f"coverage of the services is not measured by the engine {resolved.plan.engine}")
