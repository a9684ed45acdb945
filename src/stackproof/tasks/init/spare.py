"""Services that are there for people, and that no test needs, such as consoles."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stackproof.stack_file.model import Service

CONSOLES = frozenset(
    "adminer pgadmin pgadmin4 pgweb phpmyadmin mongo-express redis-commander redisinsight "
    "cloudbeaver kibana opensearch-dashboards cerebro grafana prometheus alertmanager loki "
    "promtail cadvisor node-exporter jaeger all-in-one zipkin portainer portainer-ce dozzle "
    "watchtower flower kafka-ui kafdrop akhq mailhog mailpit mailcatcher maildev swagger-ui "
    "redoc".split()
)
"""The last part of the names of their images."""


def spare_services(services: Mapping[str, Service], refused: Collection[str]) -> tuple[str, ...]:
    """The refused services that a copy can do without: nobody waits for them.

    Args:
        services: The services that are on.
        refused: Those that an engine does not run.
    """
    awaited = {
        name
        for service in services.values()
        if service.name not in refused
        for name in service.depends_on
    }
    return tuple(name for name in refused if name not in awaited and _is_console(services[name]))


def _is_console(service: Service) -> bool:
    image = (service.image or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    return service.build is None and image in CONSOLES
