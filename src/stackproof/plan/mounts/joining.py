"""Networks and namespaces that are not the run's own: replaced, or refused."""

from __future__ import annotations

from collections.abc import Iterator

from stackproof.errors import ConfigError
from stackproof.plan.services.extension import location
from stackproof.stack_file.model import Service, StackFile


def refuse_joins(stack_file: StackFile, service: Service, engine: str) -> None:
    """Refuse a service that would join a container, or a network, that is not the run's.

    Args:
        stack_file: Where it stands.
        service: The service.
        engine: `process` or `compose`.

    Raises:
        ConfigError: If it would.
    """
    for key, value in service.joins.items():
        if value.startswith("container:"):
            _refuse(stack_file, service, key, f"joins {value}, a container outside the stack",
                    "write service:NAME, where NAME is a service of this file")  # fmt: skip
        if key == "network_mode" and value == "host" and engine == "compose":
            _refuse(
                stack_file, service, key,
                "joins this machine's network, where it would meet servers that are not the "
                "stack's", "remove it: services of a stack reach each other by name",
            )  # fmt: skip
    if service.external_links:
        named = ", ".join(service.external_links)
        _refuse(stack_file, service, "external_links", f"names containers outside the stack: "
                f"{named}", "make them services of this file")  # fmt: skip


def _refuse(stack_file: StackFile, service: Service, key: str, what: str, remedy: str) -> None:
    path = f"services.{service.name}.{key}"
    place = location(stack_file, path)
    raise ConfigError(
        f"{service.name} {what}",
        source=place.source if place else None,
        line=place.line if place else None,
        key=path,
        remedy=remedy,
    )


def replaced_joins(stack_file: StackFile, service: Service) -> Iterator[str]:
    """What is replaced by something of the run's own, in words.

    Args:
        stack_file: Where it stands.
        service: The service.
    """
    for key, value in service.joins.items():
        if value == "host":
            yield f"{service.name}: `{key}: host` is left out: it keeps to the run's own"
    for name in service.networks:
        network = stack_file.networks.get(name)
        if network is not None and network.external:
            place = location(stack_file, f"networks.{name}")
            where = f" ({place.source.name}:{place.line})" if place else ""
            yield (
                f"{service.name}: a network of this run stands for the external network "
                f"{network.name or name}{where}, where servers of others may be"
            )
