"""The plan of a stack that somebody else has started: names and addresses, and nothing to start."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from stackproof.errors import ConfigError
from stackproof.plan.gateway import TOKEN
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.settings import Settings

PORTS = {"http": 80, "https": 443, "postgresql": 5432, "redis": 6379, "amqp": 5672}
"""Schemes that an address may have, with the port that it means where it names none."""

NOTICE = "this stack was started by somebody else; stackproof neither starts nor stops any of it"


def attached_plan(settings: Settings, run_folder: Path) -> Plan:
    """The plan of the services that the settings name addresses of.

    Args:
        settings: The merged settings; `attached` has the addresses.
        run_folder: Never used, since nothing is made.

    Raises:
        ConfigError: If there is no address, or one can't be read.
    """
    if not settings.attached:
        raise ConfigError(
            f"the engine `attached` has no address of {settings.stack}",
            source=settings.config_file,
            key="attached",
            remedy="set STACKPROOF_ATTACHED_<SERVICE>=http://host:port for each service, or write "
            "them under `attached`",
        )
    read = {name: _address(settings, name, url) for name, url in settings.attached.items()}
    gateway = settings.gateway_service
    return Plan(
        stack=settings.stack,
        project=settings.project,
        engine="attached",
        run_folder=run_folder,
        services=tuple(_service(name, url) for name, url in read.items()),
        notices=(NOTICE,),
        secrets=settings.secret_values(),
        gateway_service=gateway if gateway in read else None,
        gateway_token=settings.variables.get(TOKEN, ""),
    )


def _address(settings: Settings, name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_known = urlsplit(""), False
    if not is_known or (parts.scheme != "postgresql" and parts.path not in {"", "/"}):
        schemes = ", ".join(PORTS)
        raise ConfigError(
            f"the address of {name} can't be read",
            source=settings.source(("attached", name)),
            key=f"attached.{name}",
            remedy=f"write SCHEME://HOST:PORT, without a path; SCHEME is one of {schemes}, and a "
            "database is postgresql://USER:PASSWORD@HOST:PORT/NAME",
        )
    return parts


def _service(name: str, url: SplitResult) -> ServicePlan:
    port = url.port or PORTS[url.scheme]
    endpoint = Endpoint(name, port, url.hostname or "", port, url.scheme)
    environment = {}
    if url.scheme == "postgresql":
        environment = {
            "POSTGRES_USER": unquote(url.username or "postgres"),
            "POSTGRES_PASSWORD": unquote(url.password or ""),
            "POSTGRES_DB": unquote(url.path.strip("/")),
        }
    return ServicePlan(name, (), environment, endpoints=(endpoint,))
