"""What shows that a service is ready: `x-stackproof.ready`, its health check, image or ports."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard
from urllib.parse import urlsplit, urlunsplit

from stackproof.errors import ConfigError
from stackproof.plan.addressing.addresses import HOST, LOOPBACK, WILDCARD
from stackproof.plan.addressing.translation import Translator, rules_of
from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.extension import Ready
from stackproof.plan.services.known_images import POSTGRES_DEFAULT, database_of
from stackproof.plan.services.probes import is_replaced, probe_for
from stackproof.readiness.probes import (
    AliveProbe,
    AmqpProbe,
    CommandProbe,
    HttpProbe,
    ListeningProbe,
    LogProbe,
    PostgresProbe,
    Probe,
    RedisProbe,
    SqlProbe,
    TcpProbe,
)
from stackproof.stack_file.model import Healthcheck

HTTP_PORT = 80


@dataclass(frozen=True)
class Asked:
    """How a service is asked whether it is ready; without a probe, started is ready."""

    probe: Probe | None = None
    translations: tuple[Translation, ...] = ()


def asked_by_process(
    draft: Draft,
    translator: Translator,
    environment: Mapping[str, str],
    database: Draft | None = None,
) -> Asked:
    """The probe of a service whose ports are reached from this machine.

    Args:
        draft: The service.
        translator: Translates what stands in it.
        environment: Its environment, translated.
        database: The stack's PostgreSQL service, if it has a single or configured one.

    Raises:
        ConfigError: If it is asked for by a query, and there is no such service.
    """
    endpoints = translator.addresses.ports[draft.name]
    if draft.extension.ready is not None:
        if draft.extension.ready.kind == "sql":
            return Asked(_query(draft, draft.extension.ready.value, database))
        return Asked(_written(draft.extension.ready, translator, endpoints))
    native = _native(draft, endpoints, environment)
    check = draft.service.healthcheck
    if check is not None and (check.disable or check.test[:1] == ("NONE",)):
        return Asked()
    if check is None or not check.test:
        published = [port.target for port in draft.service.ports if port.target in endpoints]
        numbers = tuple(dict.fromkeys(endpoints[target] for target in published))
        return Asked(native or (ListeningProbe(numbers) if numbers else None))
    done = translator.arguments(check.test)
    test = tuple(part.text for part in done)
    probe = probe_for(test, draft.known, native)
    before = _command_text(check.test)
    if is_replaced(probe):
        after, rule = str(probe), "probe"
    else:
        after, rule = _command_text(test), rules_of(done)
    if before == after:
        return Asked(probe)
    return Asked(probe, (Translation(draft.name, "healthcheck", before, after, rule),))


def _native(draft: Draft, ports: Mapping[int, int], environment: Mapping[str, str]) -> Probe | None:
    """The probe that fits a known image."""
    if draft.known is None or draft.known.port not in ports:
        return None
    if draft.known.scheme == "http":  # its configuration decides on which of them it listens
        return ListeningProbe(tuple(ports.values()))
    return draft.known.probe(HOST, ports[draft.known.port], environment)


def asked_of_container(
    draft: Draft, translator: Translator, database: Draft | None = None
) -> Probe | None:
    """The probe of a container: from this machine if its answer tells enough, else inside it.

    Args:
        draft: The service.
        translator: Knows its published ports.
        database: As for `asked_by_process`.
    """
    probe = asked_by_process(draft, translator, draft.environment, database).probe
    if isinstance(probe, HttpProbe):  # ports are published for this address, not for ::1
        probe = HttpProbe(probe.url.replace("//localhost:", f"//{HOST}:", 1))
    ready = draft.extension.ready
    if ready is None and _is_of_broker(probe, draft, translator):
        probe = AmqpProbe(probe.host, probe.port)  # a bare connection could be the proxy's
    if ready is not None and ready.kind == "tcp":  # the container's own port, not Docker's proxy
        return ListeningProbe((ready.value,))
    published = translator.addresses.ports[draft.name].values()
    if ready is not None or _is_answered_by_service(probe, published):
        return probe
    if isinstance(probe, ListeningProbe):
        ports = [port.target for port in draft.service.ports if port.protocol == "tcp"]
        return ListeningProbe(tuple(dict.fromkeys(ports))) if ports else None
    return _inside(draft.service.healthcheck)


def asked_of_room(
    draft: Draft, translator: Translator, database: Draft | None = None
) -> Probe | None:
    """The probe in a private world: from this machine by a port of the service, else inside it.

    Args:
        draft: The service.
        translator: Knows the ports of this machine that lead to those of the services.
        database: As for `asked_by_process`.
    """
    ready, check = draft.extension.ready, draft.service.healthcheck
    if ready is not None and ready.kind == "command":
        return CommandProbe(tuple(ready.value))
    if ready is not None or check is None or check.disable or not check.test:
        return asked_by_process(draft, translator, draft.environment, database).probe
    ports = translator.addresses.ports[draft.name]
    native = _native(draft, ports, draft.environment)
    found = probe_for(check.test, draft.known, native)
    if found is not None and found is native:
        return found
    return _by_port(found, draft.name, ports) or _inside(check)


def _by_port(probe: Probe | None, name: str, ports: Mapping[int, int]) -> Probe | None:
    """The same question from this machine; None where it is put to somebody else."""
    if isinstance(probe, HttpProbe):
        parts = urlsplit(probe.url)
        host, target = parts.hostname or "", parts.port or HTTP_PORT
        if _is_own(host, name) and target in ports and "@" not in parts.netloc:
            return HttpProbe(urlunsplit(parts._replace(netloc=f"{HOST}:{ports[target]}")))
    if isinstance(probe, TcpProbe) and _is_own(probe.host, name) and probe.port in ports:
        return TcpProbe(HOST, ports[probe.port])
    return None


def _is_own(host: str, name: str) -> bool:
    return host in LOOPBACK | WILDCARD | {name}


def _is_of_broker(probe: Probe | None, draft: Draft, translator: Translator) -> TypeGuard[TcpProbe]:
    """Whether a probe connects to a RabbitMQ's own port."""
    known = draft.known
    if known is None or known.name != "rabbitmq":
        return False
    port = translator.addresses.ports[draft.name].get(known.port)
    return isinstance(probe, TcpProbe) and probe.port == port


def _is_answered_by_service(probe: Probe | None, published: Iterable[int]) -> bool:
    """Whether a probe's answer comes from the service itself.

    A bare connection does not count: Docker's proxy accepts it whether the service listens or not.
    """
    if isinstance(probe, HttpProbe):
        parts = urlsplit(probe.url)
        return parts.hostname == HOST and (parts.port or HTTP_PORT) in published
    return isinstance(probe, AmqpProbe | PostgresProbe | RedisProbe)


def _inside(check: Healthcheck | None) -> Probe | None:
    """A health check that runs in the container, with its own addresses."""
    if check is None or len(check.test) < 2:  # noqa: PLR2004 - the form and the command
        return None
    if check.test[0] == "CMD":
        return CommandProbe(check.test[1:])
    return CommandProbe(("/bin/sh", "-c", check.test[1]))


def _command_text(test: Sequence[str]) -> str:
    return test[1] if test[0] == "CMD-SHELL" else shlex.join(test[1:])


def _query(draft: Draft, sql: str, database: Draft | None) -> SqlProbe:
    """A query that the database's own `psql` asks in its surroundings."""
    if database is None:
        raise ConfigError(
            f"it is not known which database `ready` of {draft.name} asks",
            key=f"services.{draft.name}.x-stackproof.ready.sql",
            observed="the stack has no PostgreSQL service, or several",
            remedy="name it in the stack config, under `database.service`",
        )
    user = database.environment.get("POSTGRES_USER") or POSTGRES_DEFAULT
    argv = ("psql", "-XAtqv", "ON_ERROR_STOP=1", "-U", user,
            "-d", database_of(database.environment), "-c", sql)  # fmt: skip
    return SqlProbe(sql, database.name, argv)


def _written(ready: Ready, translator: Translator, endpoints: Mapping[int, int]) -> Probe:
    if ready.kind == "log":
        return LogProbe(ready.value)
    if ready.kind == "alive":
        return AliveProbe(ready.value)
    if ready.kind == "tcp":
        return TcpProbe(HOST, endpoints.get(ready.value, ready.value))
    if ready.kind == "command":
        return CommandProbe(tuple(argument.text for argument in translator.arguments(ready.value)))
    if ready.value.startswith("/"):
        port = next(iter(endpoints.values()), 80)
        return HttpProbe(f"http://{HOST}:{port}{ready.value}")
    return HttpProbe(translator.value(ready.value, "environment").text)
