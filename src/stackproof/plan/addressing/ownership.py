"""Whether a target belongs to the stack: its services, its ports, its files."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from stackproof.plan.addressing.addresses import DOCKER_HOST, WILDCARD
from stackproof.plan.addressing.hosts import is_loopback
from stackproof.plan.addressing.schemes import holds_data
from stackproof.plan.addressing.targets import DEFAULT_HOST, Target
from stackproof.plan.model import Plan, ServicePlan
from stackproof.settings.model import SAFE_ENDINGS

DOCKER_HOSTS = frozenset(
    {DOCKER_HOST, "gateway.docker.internal", "host.containers.internal", "docker.for.mac.localhost",
     "docker.for.mac.host.internal", "docker.for.win.localhost", "host-gateway"}
)  # fmt: skip
"""Names that mean the machine itself, seen from a container."""

_STORES = frozenset({"AWS", "S3", "MINIO", "ENDPOINT", "STORAGE", "EMULATOR", "SQS", "LOCALSTACK"})


@dataclass(frozen=True)
class Ownership:
    """What a stack has, and what it may use beside that.

    Attributes:
        plan: The stack.
        with_own_stores: Services whose environment names a store of the stack; a bucket's name
            alone does not tell where it is.
    """

    plan: Plan
    with_own_stores: frozenset[str] = frozenset()

    def has(self, service: ServicePlan, target: Target) -> bool:
        """Whether a target belongs to the stack, or leads nowhere.

        Args:
            service: Whose target it is.
            target: The target; on the process engine as translated.
        """
        if target.kind == "sqlite":
            return self._has_file(service, target.host)
        if target.kind in {"store", "queue"} and service.name in self.with_own_stores:
            return True
        if target.kind == "web" and service.name == self.plan.gateway_service:
            return True  # the gateway's own settings and budget say what it may ask
        host = service.reach.hosts.get(target.host, target.host)
        if host.startswith(("/", "@", ".")):
            return self._has_socket(service, target, host)
        is_named = host in self.plan.addresses.names and host == target.host
        return self._is_own_name(host) if is_named else self._has_host(service, target, host)

    def _is_own_name(self, host: str) -> bool:
        """Whether a service's name leads to it: names of processes are left only untranslated."""
        return not self.plan.is_translated or "." not in host

    def _has_host(self, service: ServicePlan, target: Target, host: str) -> bool:
        if host in DOCKER_HOSTS:
            return target.port in self._published
        if not host or is_loopback(host) or host in WILDCARD:
            return self._has_loopback(service, target, host)
        return host.endswith(".invalid")  # RFC 2606: it never resolves

    def may_use(self, target: Target) -> bool:
        """Whether the stack config names the target's host under `external`."""
        places = {target.host.lower(), target.address.lower()}
        if target.host == DEFAULT_HOST:
            places = {f"localhost:{target.port}"}
        for written in self.plan.external:
            allowed = written.strip().lower()
            if allowed in places:
                return True
            if allowed.startswith("*.") and any(
                place.endswith(allowed[1:]) for place in places if not place.startswith("/")
            ):
                return True
        return False

    def is_disposable(self, target: Target) -> bool:
        """Whether the name of a target's database says that it is made to be lost."""
        name = target.database
        if not name or "$" in name or "{" in name or name.endswith(SAFE_ENDINGS):
            return True
        if target.kind == "mongodb" and name == "admin":
            return True  # where MongoDB keeps its users
        is_maintenance = name in {"postgres", "template1", "mysql", "master"}
        return name == self.plan.database or (is_maintenance and self.plan.database is not None)

    @cached_property
    def _ports(self) -> set[int]:
        return {endpoint.port for service in self.plan.services for endpoint in service.endpoints}

    @cached_property
    def _published(self) -> set[int]:
        """Ports of this machine that lead to the stack, as its services write them."""
        published = self.plan.addresses.published
        is_led_there = self.plan.is_translated or self.plan.world == "private"
        return set(published) if is_led_there else set(published.values())

    def _has_loopback(self, service: ServicePlan, target: Target, host: str) -> bool:
        """An address of the service's own machine: the container's, or, for a process, this one."""
        if not self.plan.is_translated and not service.reach.host_network:
            return True
        if host in {"127.0.0.1", "localhost"} or not host:
            is_socket = not host and target.kind == "postgresql"
            if target.port in self._ports and not is_socket:
                return True
            if not host and serves(service, target):
                return True
        return not holds_data(target.kind)

    def _has_socket(self, service: ServicePlan, target: Target, path: str) -> bool:
        if target.kind == "web":
            return True
        if self.plan.is_translated:
            return _is_below(path, self.plan.run_folder)
        return not any(_is_below(path, Path(bind)) for bind in service.reach.binds)

    def _has_file(self, service: ServicePlan, path: str) -> bool:
        """A file of SQLite; in a file system of its own mounts decide, which have rules."""
        if not self.plan.is_translated:
            return True
        folder = service.working_dir or (service.runtime.project if service.runtime else None)
        if folder is None:
            return not path.startswith("/") or _is_below(path, self.plan.run_folder)
        whole = os.path.normpath(folder / path)
        if _is_below(whole, self.plan.run_folder):
            return True
        name = Path(whole).name.partition(".")[0]
        return name.endswith(SAFE_ENDINGS) and _is_below(whole, folder)


def serves(service: ServicePlan, target: Target) -> bool:
    """Whether a service is itself a server of a target's kind."""
    return any(endpoint.scheme == target.kind for endpoint in service.endpoints)


def names_own_store(place: str) -> bool:
    """Whether a variable's name speaks of where a store of objects, or a queue, is."""
    return bool(_STORES & set(place.upper().split("_")))


def _is_below(path: str, folder: Path | None) -> bool:
    if folder is None:
        return False
    whole = os.path.normpath(path)
    return whole == str(folder) or whole.startswith(f"{os.path.normpath(folder)}/")
