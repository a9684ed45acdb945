"""Which services of a start may be forked, by the fork servers of this process."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stackproof.engines.base import Launch
from stackproof.engines.process.fork_server.keeping import ForkServers, Wanted
from stackproof.engines.process.fork_server.preloading import COVERAGE
from stackproof.engines.process.spec import ServiceSpec
from stackproof.plan.model import Plan, ServicePlan

_OF_THIS_PROCESS: dict[Path, ForkServers] = {}


def fork_servers(cache: Path) -> ForkServers:
    """Those of this process for a cache, made when they are asked for first.

    Args:
        cache: As for `ForkServers`.
    """
    if cache not in _OF_THIS_PROCESS:
        _OF_THIS_PROCESS[cache] = ForkServers(cache)
        atexit.register(_OF_THIS_PROCESS[cache].close)
    return _OF_THIS_PROCESS[cache]


def forker(launch: Launch, cache: Path) -> Callable[[ServiceSpec, Path], ServiceSpec]:
    """What gives a service of Python its fork server, from its spec and its virtualenv.

    Args:
        launch: What is started.
        cache: As for `ForkServers`.
    """
    if not launch.forks:
        return lambda spec, _: spec
    plan = launch.plan
    servers, secrets = fork_servers(cache), frozenset(plan.secrets)

    def forked(spec: ServiceSpec, virtualenv: Path) -> ServiceSpec:
        if spec.env.get(COVERAGE) != launch.extra_env.get(spec.name, {}).get(COVERAGE):
            return replace(spec, cold=f"it sets {COVERAGE} itself")
        if spec.name in launch.cold:
            return replace(spec, cold="`isolation.cold` names it, or a test limits its memory")
        service = plan.service(spec.name)
        wanted = Wanted(stack_of(plan, service), service.preload, secrets)
        return servers.forked(spec, virtualenv, wanted)

    return forked


def stack_of(plan: Plan, service: ServicePlan) -> str:
    """What is known of a service is kept under: its stack, and the place of its files."""
    return f"{plan.stack} {service.runtime.project if service.runtime else ''}"
