"""The first test of a stack: every service is well, and those with an address answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from stackproof.plan.model import Plan, ServicePlan
from stackproof.readiness.probes import HttpProbe
from stackproof.tasks.init.source_trees import SourceTree

_WEB = re.compile(
    r"\buvicorn\b|\bgunicorn\b|\bflask\b.*\brun\b|\brunserver\b|\bhypercorn\b|\bdaphne\b|"
    r"\bfastapi\s+(?:run|dev)\b|\bwaitress-serve\b|\bgranian\b|\bstreamlit\s+run\b|\bhttp\.server\b"
)
"""Commands that answer HTTP, whatever the path."""

_WEB_SERVERS = frozenset({"nginx", "caddy", "httpd", "traefik", "nginx-unprivileged"})
"""The last part of the names of images that do."""

_HEAD = '''"""The first test of the {stack} stack: its services are well and answer."""

{imports}

pytestmark = pytest.mark.integration


def test_every_service_is_well(running_stack):
    assert [one for one in running_stack.running.status() if not one.is_well] == []
'''

_HEALTHY = """

def test_{word}_answers(running_stack):
    answer = httpx.get(running_stack.url({name}{port}) + "{path}", timeout=30)
    assert answer.is_success
"""

_WEBLIKE = """

def test_{word}_answers(running_stack):
    assert httpx.get(running_stack.url({name}{port}), timeout=30).status_code
"""

_LISTENS = """

def test_{word}_listens(running_stack):
    place = running_stack.endpoint({name}{port})
    socket.create_connection((place.host, place.port), timeout=30).close()
"""

_ROWS = """

def test_the_database_of_{word}_answers(running_stack):
    assert running_stack.rows("select 1 as one"{service}) == [{{"one": 1}}]
"""


def smoke_test(plan: Plan, trees: Sequence[SourceTree]) -> str:
    """The text of the test.

    Args:
        plan: The plan of the stack.
        trees: Its services that are on.
    """
    by_name = {tree.name: tree for tree in trees}
    databases = [service.name for service in plan.services if _scheme(service) == "postgresql"]
    tests = "".join(
        _test(service, by_name[service.name], only=len(databases) == 1)
        for service in plan.services
        if service.name in by_name
    )
    modules = [name for name in ("socket",) if f"{name}." in tests]
    others = [name for name in ("httpx", "pytest") if name == "pytest" or f"{name}." in tests]
    groups = ["\n".join(f"import {name}" for name in group) for group in (modules, others) if group]
    return _HEAD.format(stack=plan.stack, imports="\n\n".join(groups)) + tests


def _scheme(service: ServicePlan) -> str:
    return next(iter(endpoint.scheme for endpoint in service.endpoints), "")


def _test(service: ServicePlan, tree: SourceTree, *, only: bool) -> str:
    word = re.sub(r"\W+", "_", service.name)
    name = f'"{service.name}"'
    if _scheme(service) == "postgresql":
        return _ROWS.format(word=word, service="" if only else f", service={name}")
    if not tree.service.ports or not service.endpoints:
        return ""
    target = next(iter(_published(tree)), service.endpoints[0].target)
    if all(endpoint.target != target for endpoint in service.endpoints):
        return ""
    port = f", {target}" if len(service.endpoints) > 1 else ""
    path = _health_path(service, tree)
    if path:
        return _HEALTHY.format(word=word, name=name, port=port, path=path)
    text = _WEBLIKE if _answers_http(tree) else _LISTENS
    return text.format(word=word, name=name, port=port)


def _answers_http(tree: SourceTree) -> bool:
    image = (tree.service.image or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    return image in _WEB_SERVERS or _WEB.search(tree.starts) is not None


def _published(tree: SourceTree) -> Iterator[int]:
    return (port.target for port in tree.service.ports if port.protocol == "tcp")


def _health_path(service: ServicePlan, tree: SourceTree) -> str:
    """The path that its health check asks for at its first published port; empty without one."""
    if not isinstance(service.probe, HttpProbe):
        return ""
    parts = urlsplit(service.probe.url)
    numbers = {
        number
        for endpoint in service.endpoints
        if endpoint.target == next(_published(tree), None)
        for number in (endpoint.target, endpoint.port)
    }
    return (parts.path or "/") if (parts.port or 80) in numbers else ""
