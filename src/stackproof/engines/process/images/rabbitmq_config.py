"""What a stack file says of a broker, as the native server takes it: its own ports and files."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from stackproof.errors import ConfigError

HOST = "127.0.0.1"
AMQP, DISTRIBUTION = 5672, 25672
UNNAMED = 0
"""The port that the system chooses."""

DEFAULTS = {
    # As the official image has them.
    "loopback_users.guest": "false",
    "log.console": "true",
    "log.file": "false",
}

LISTENERS = {
    "rabbitmq_management": ("management.tcp.port", 15672),
    "rabbitmq_prometheus": ("prometheus.tcp.port", 15692),
    "rabbitmq_mqtt": ("mqtt.listeners.tcp.default", 1883),
    "rabbitmq_stomp": ("stomp.listeners.tcp.default", 61613),
    "rabbitmq_stream": ("stream.listeners.tcp.default", 5552),
    "rabbitmq_web_mqtt": ("web_mqtt.tcp.port", 15675),
    "rabbitmq_web_stomp": ("web_stomp.tcp.port", 15674),
}
"""Plugins that listen: the key of the port in rabbitmq.conf, and the port."""

REFUSED = frozenset(
    {"RABBITMQ_DEFAULT_PASS_FILE", "RABBITMQ_DEFAULT_USER_FILE",
     "RABBITMQ_MANAGEMENT_SSL_CACERTFILE", "RABBITMQ_MANAGEMENT_SSL_CERTFILE",
     "RABBITMQ_MANAGEMENT_SSL_DEPTH", "RABBITMQ_MANAGEMENT_SSL_FAIL_IF_NO_PEER_CERT",
     "RABBITMQ_MANAGEMENT_SSL_KEYFILE", "RABBITMQ_MANAGEMENT_SSL_VERIFY",
     "RABBITMQ_SSL_CACERTFILE", "RABBITMQ_SSL_CERTFILE", "RABBITMQ_SSL_DEPTH",
     "RABBITMQ_SSL_FAIL_IF_NO_PEER_CERT", "RABBITMQ_SSL_KEYFILE", "RABBITMQ_SSL_VERIFY",
     "RABBITMQ_VM_MEMORY_HIGH_WATERMARK"}
)  # fmt: skip
"""Variables that the official image refuses since 3.9 (its docker-entrypoint.sh)."""

OWN = frozenset(
    {"RABBITMQ_MNESIA_BASE", "RABBITMQ_MNESIA_DIR", "RABBITMQ_CONFIG_FILES", "RABBITMQ_DIST_PORT",
     "RABBITMQ_PLUGINS_DIR", "RABBITMQ_PLUGINS_EXPAND_DIR", "RABBITMQ_GENERATED_CONFIG_DIR",
     "RABBITMQ_FEATURE_FLAGS_FILE", "RABBITMQ_QUORUM_DIR", "RABBITMQ_STREAM_DIR",
     "RABBITMQ_SCRIPTS_DIR", "RABBITMQ_SERVER_CODE_PATH", "RABBITMQ_CONF_ENV_FILE",
     "RABBITMQ_NODE_IP_ADDRESS", "RABBITMQ_BOOT_MODULE", "RABBITMQ_LOG_BASE"}
)  # fmt: skip
"""Variables that say where the server has its files and ports, which is the run's business."""

_NODE = re.compile(r"^(?P<name>[A-Za-z0-9_-]+)(?:@(?P<host>\S+))?$")
_LISTENER = re.compile(r"^(?:(?:mqtt|stomp|stream)\.)?listeners\.(?:tcp|ssl)(?:\.\w+)?$")
_PORT = re.compile(r"^(?:management|prometheus|web_mqtt|web_stomp)\.(?:tcp|ssl|listener)\.port$")
_VALUE = re.compile(r"^(?:.*:)?(\d+)$")
_PATH = re.compile(r"(?<![\w/.:])/[\w./-]+")
_PLUGIN = re.compile(r"\b[a-z]\w*")

Ports = Mapping[int, int]
"""Container port to port of this machine."""


def refuse_variables(service: str, environment: Mapping[str, str]) -> None:
    """Refuse what the official image refuses, and what a native server can't honour.

    Raises:
        ConfigError: With the variable.
    """
    for name in sorted(REFUSED | OWN):
        if not environment.get(name):
            continue
        refused = name in REFUSED
        raise ConfigError(
            f"{service} sets {name}, which "
            + ("the image refuses" if refused else "a native RabbitMQ can't honour"),
            key=f"services.{service}.environment.{name}",
            observed="deprecated since RabbitMQ 3.9; the container would not start"
            if refused
            else "stackproof decides where its files and ports are",
            remedy="write it in a mounted /etc/rabbitmq/rabbitmq.conf, or set "
            "RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS"
            if refused
            else "remove it, or use --engine compose",
        )


def node_name(service: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """The name of the node, and what a person should know of it.

    Its host is always this machine: data belong to the name of a node, so that a copy of them fits
    every run.

    Raises:
        ConfigError: If RABBITMQ_NODENAME is no name of a node.
    """
    written = environment.get("RABBITMQ_NODENAME") or "rabbit"
    match = _NODE.match(written)
    if match is None:
        raise ConfigError(
            "the name of the node can't be read",
            key=f"services.{service}.environment.RABBITMQ_NODENAME",
            observed=repr(written),
            remedy="write NAME@HOST",
        )
    node = f"{match['name']}@localhost"
    is_other = match["host"] not in {None, "localhost"}
    return node, f"its node is {node}, not {written}" if is_other else ""


def plugins_of(enabled: str | None, extra: Sequence[str], tag: str, ports: Ports) -> list[str]:
    """The plugins to enable.

    Args:
        enabled: Text of a mounted `enabled_plugins`; None where there is none.
        extra: Plugins that the command enables.
        tag: Tag of the image.
        ports: Ports of the service.
    """
    if enabled is not None:
        text = "\n".join(line.partition("%")[0] for line in enabled.splitlines())
        found = _PLUGIN.findall(text)
    else:
        found = [name for name in _of_image(tag) if LISTENERS[name][1] in ports]
    return sorted({*found, *extra})


def _of_image(tag: str) -> Iterator[str]:
    """The plugins that the image has enabled; those that nobody can reach are left out."""
    yield "rabbitmq_prometheus"
    if "management" in tag:
        yield "rabbitmq_management"


def configuration(
    service: str,
    texts: Sequence[str],
    plugins: Sequence[str],
    ports: Ports,
    path: Callable[[str], str | None],
    host: str = HOST,
) -> str:
    """The text of rabbitmq.conf for this machine.

    Args:
        service: Name of the service, for errors.
        texts: The mounted configuration files, the last one wins.
        plugins: Plugins that are enabled.
        ports: Ports of the service.
        path: A container path to one of this machine; None where nothing is mounted there.
        host: The address that it listens on.

    Raises:
        ConfigError: If something in it can't be honoured.
    """
    values = dict(DEFAULTS)
    for text in texts:
        values |= _values(service, text)
    lines: dict[str, str] = {}
    for key, value in values.items():
        if _LISTENER.match(key) and value != "none":
            lines[key] = f"{host}:{_own_port(service, key, value, ports)}"
        elif _PORT.match(key):
            lines[key] = str(_own_port(service, key, value, ports))
        else:
            lines[key] = _PATH.sub(lambda match: _own_path(service, match[0], path), value)
    if not any(key.startswith("listeners.tcp") for key in lines):
        lines["listeners.tcp.default"] = f"{host}:{ports[AMQP]}"
    lines |= dict(_listeners(lines, plugins, ports, host))
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def _values(service: str, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        key, equals, value = written.partition("=")
        if not equals:
            raise ConfigError(
                f"the rabbitmq.conf of {service} can't be read",
                observed=f"line {number}: {written[:80]!r}",
                remedy="write KEY = VALUE",
            )
        yield key.strip(), re.sub(r"\s##.*$", "", value).strip()


def _own_port(service: str, key: str, value: str, ports: Ports) -> int:
    match = _VALUE.match(value)
    number = int(match[1]) if match else 0
    if number not in ports:
        raise _unknown_port(service, number, f"rabbitmq.conf has `{key} = {value}`")
    return ports[number]


def _unknown_port(service: str, number: int, why: str) -> ConfigError:
    return ConfigError(
        f"{service} listens on port {number}, which the stack file does not name",
        key=f"services.{service}.expose",
        observed=why,
        remedy=f'add `expose: ["{number}"]` to {service}, so that each copy of the stack gets a '
        "port of its own",
    )


def _listeners(
    lines: Mapping[str, str], plugins: Sequence[str], ports: Ports, host: str
) -> Iterator[tuple[str, str]]:
    """Ports of plugins that the configuration says nothing of, and the addresses of all.

    A port that the stack file does not name is reached by nobody, so any free port will do.
    """
    for plugin in plugins:
        if plugin not in LISTENERS:
            continue
        key, number = LISTENERS[plugin]
        section, is_port = key.split(".")[0], key.endswith(".port")
        written = [name for name in lines if name.startswith(f"{section}.")]
        if not any(_LISTENER.match(name) or _PORT.match(name) for name in written):
            own = ports.get(number, UNNAMED)
            yield key, str(own) if is_port else f"{host}:{own}"
        if is_port:
            kinds = {name.split(".")[1] for name in written if _PORT.match(name)} or {"tcp"}
            yield from ((f"{section}.{kind}.ip", host) for kind in kinds)


def _own_path(service: str, written: str, path: Callable[[str], str | None]) -> str:
    found = path(posixpath.normpath(written))
    if found is None and re.match(r"/(?:etc/(?:rabbitmq|ssl)|certs?|opt|run|home)/", written):
        raise ConfigError(
            f"{service} has no file {written}",
            observed="its rabbitmq.conf names it, and nothing is mounted there",
            remedy="mount it, or correct the path",
        )
    return found or written
