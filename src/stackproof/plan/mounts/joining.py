"""Networks and namespaces that are not the run's own: replaced, or refused."""

from __future__ import annotations

from collections.abc import Iterator

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
    raise stack_file.refusal(path, f"{service.name} {what}", remedy=remedy)


def replaced_joins(stack_file: StackFile, service: Service) -> Iterator[str]:
    """What is replaced by something of the run's own, in words.

    Args:
        stack_file: Where it stands.
        service: The service.
    """
    for key, value in service.joins.items():
        if value == "host":
            yield f"{service.name}: `{key}: host` is ignored; the service stays inside this run"
    for name in service.networks:
        network = stack_file.networks.get(name)
        if network is not None and network.is_foreign:
            place = stack_file.location(f"networks.{name}")
            where = f" ({place.short})" if place else ""
            yield (
                f"{service.name}: a network of this run stands for the "
                f"{'external' if network.external else network.driver} network "
                f"{network.name or name}{where}, where servers of others may be"
            )


_REACHING = {
    "devices": "uses devices of this machine",
    "device_cgroup_rules": "may use devices of this machine",
    "gpus": "uses the GPUs of this machine",
    "cgroup_parent": "is put below a control group of this machine",
}


def reaching_out(stack_file: StackFile, service: Service) -> Iterator[str]:
    """What a container gets of this machine because the stack file says so, in words.

    Args:
        stack_file: Where it stands.
        service: The service.
    """
    if service.privileged:
        yield (
            f"{service.name}: can use every device of this machine, and write to its disks "
            "(`privileged`)"
        )
    for key, what in _REACHING.items():
        if f"services.{service.name}.{key}" in stack_file.ignored:
            yield f"{service.name}: {what} (`{key}`)"
