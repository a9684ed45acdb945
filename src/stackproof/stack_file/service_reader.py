"""One service of a Compose file → the model.

Source: the Compose Specification, "Services top-level element", "Build", "Deploy".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackproof.stack_file.develop import read_watch
from stackproof.stack_file.env_files import passed_through, read_environment
from stackproof.stack_file.granted_files import GrantedFiles
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.limits import read_limits
from stackproof.stack_file.model import Build, Condition, Dependency, Healthcheck, Service
from stackproof.stack_file.mounts import host_path, read_mounts
from stackproof.stack_file.ports import distinct_ports, read_exposed, read_ports
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.volumes_from import lenders

_CONDITIONS: tuple[Condition, ...] = (
    "service_started",
    "service_healthy",
    "service_completed_successfully",
)

JOINS = ("network_mode", "pid", "ipc", "uts", "cgroup", "userns_mode")
"""Keys that can put a service into namespaces of this machine or of another container."""

REMOTE = ("git@", "github.com/")
"""How Docker knows a repository that is no URL; source: `docker build`, "Git repositories"."""


def read_service(
    name: str, field: Field, base: Path, variables: Interpolation, granted: GrantedFiles
) -> Service:
    """Read one service.

    Args:
        name: Its name.
        field: Its mapping, merged and interpolated.
        base: What relative paths are resolved against.
        variables: For `env_file` and variables that are passed through.
        granted: The `secrets` and `configs` that there are.

    Raises:
        ConfigError: At the first thing that is wrong.
    """
    if field.get("image") is None and field.get("build") is None:
        field.fail(f"the service {name} has neither image nor build", remedy="add one of them")
    if field.get("network_mode") is not None and field.get("networks") is not None:
        field.child("networks").fail(
            "a service can't have both network_mode and networks", remedy="remove one of them"
        )
    found: dict[str, Any] = {"name": name, "environment": read_environment(field, base, variables)}
    found |= field.read_all(_SIMPLE) | read_limits(field)
    found["build"] = field.read("build", lambda build: _build(build, base, variables))
    found["ports"] = distinct_ports(p for item in field.items("ports") for p in read_ports(item))
    exposed = read_exposed(field.items("expose"))
    found |= {"expose": exposed["tcp"], "expose_udp": exposed["udp"]}
    found["mounts"] = (*read_mounts(field.items("volumes"), base), *granted.mounts(field))
    found["addresses"] = _addresses(field.below("networks"))
    found["links"] = _links(field)
    found["depends_on"] = lenders(field) | _implied(field) | found.get("depends_on", {})
    found["joins"] = {key: field.child(key).text() for key in JOINS if field.get(key) is not None}
    found["watch"] = field.read("develop", lambda develop: read_watch(develop, base), ())
    extension = field.get("x-stackproof")
    if extension is not None:
        extension.mapping()
        found["extension"] = extension.plain()
    return Service(**found)


def _build(field: Field, base: Path, variables: Interpolation) -> Build:
    if not isinstance(field.value, dict):
        return Build(context=_context(field, base))
    if field.get("dockerfile") is not None and field.get("dockerfile_inline") is not None:
        field.child("dockerfile").fail(
            "a build can't have both dockerfile and dockerfile_inline", remedy="remove one of them"
        )
    args = field.read("args", lambda args: passed_through(args, variables), {})
    texts = ("dockerfile", "dockerfile_inline", "target")
    return Build(
        context=field.read(
            "context", lambda context: _context(context, base), host_path(".", base)
        ),
        args={name: value for name, value in args.items() if value is not None},
        **field.read_all(dict.fromkeys(texts, Field.text)),
    )


def _context(field: Field, base: Path) -> Path:
    context = field.text()
    if "://" in context or context.startswith(REMOTE):
        field.fail(
            f"the build context {context} is a repository or archive elsewhere, which stackproof "
            "does not fetch",
            remedy="clone it beside this project and name its folder, such as ../sources; or leave "
            "the service out (`services: {exclude: [NAME]}` in the stack config)",
        )
    return host_path(context, base)


def _dependencies(field: Field) -> dict[str, Dependency]:
    if isinstance(field.value, list):
        return {item.text(): Dependency() for item in field.sequence()}
    return {name: _dependency(entry) for name, entry in field.mapping().items()}


def _dependency(field: Field) -> Dependency:
    return Dependency(
        condition=field.read("condition", _condition, "service_started"),
        restart=field.read("restart", Field.boolean, default=False),
        required=field.read("required", Field.boolean, default=True),
    )


def _condition(field: Field) -> Condition:
    return field.one_of(_CONDITIONS)


def _links(service: Field) -> dict[str, str]:
    """The further names that this service has for others, and whose they are."""
    pairs = [item.text().partition(":") for item in service.items("links")]
    return {alias: name for name, _, alias in pairs if alias}


def _implied(service: Field) -> dict[str, Dependency]:
    """Services whose network or names this one shares, and so depends on."""
    links = [item.text().split(":")[0] for item in service.items("links")]
    modes = [service.read(key, Field.text, "") for key in ("network_mode", "ipc", "pid", "uts")]
    shared = [mode.removeprefix("service:") for mode in modes if mode.startswith("service:")]
    return {name: Dependency(restart=True) for name in [*links, *shared]}


def _healthcheck(field: Field) -> Healthcheck:
    found = field.read_all(_HEALTH)
    if found.get("test") == ("NONE",):
        found["disable"] = True
    return Healthcheck(**found)


def _retries(field: Field) -> int:
    retries = field.integer()
    if retries < 0:
        field.fail("this must not be negative", remedy="write 0 or more")
    return retries


def _test(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        return ("CMD-SHELL", field.text())
    words = tuple(item.text() for item in field.sequence())
    if words and words[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        field.fail("this list must begin with CMD, CMD-SHELL or NONE",
                   remedy='write ["CMD", "program", "argument"]')  # fmt: skip
    if words[:1] == ("CMD-SHELL",) and len(words) != 2:  # noqa: PLR2004 - itself and the command
        field.fail("CMD-SHELL takes one text", remedy='write ["CMD-SHELL", "command line"]')
    return words


def _networks(field: Field) -> dict[str, tuple[str, ...]]:
    if isinstance(field.value, list):
        return {item.text(): () for item in field.sequence()}
    return {
        name: network.read("aliases", _distinct_texts, ())
        for name, network in field.mapping().items()
    }


def _addresses(field: Field) -> dict[str, str]:
    """The addresses that a service has in networks, where the file names them."""
    if isinstance(field.value, list):
        return {}
    found = {
        name: network.read("ipv4_address", Field.text) for name, network in field.mapping().items()
    }
    return {name: address for name, address in found.items() if address}


def _distinct_texts(field: Field) -> tuple[str, ...]:
    """A list of texts in which the last of those with the same name before a = counts."""
    return tuple({text.partition("=")[0]: text for text in field.texts()}.values())


def _extra_hosts(field: Field) -> tuple[str, ...]:
    """Each as `host=address`."""
    if not isinstance(field.value, list):
        pairs = ((name, ip) for name, host in field.mapping().items() for ip in host.texts())
        return tuple(f"{name}={ip.strip('[]')}" for name, ip in pairs)
    found = []
    for item in field.sequence():
        text = item.text()
        name, _, ip = text.partition("=" if "=" in text else ":")
        if not name or not ip:
            item.fail(f"{text!r} has no name or no address", remedy='write "host:10.0.0.1"')
        found.append(f"{name}={ip.strip('[]')}")
    return tuple(dict.fromkeys(found))


def _ulimits(field: Field) -> dict[str, tuple[int, int]]:
    """The soft and the hard bound of each limit."""
    return {name: _ulimit(entry) for name, entry in field.mapping().items()}


def _ulimit(field: Field) -> tuple[int, int]:
    if not isinstance(field.value, dict):
        return field.integer(), field.integer()
    return (
        field.read("soft", Field.integer, default=0),
        field.read("hard", Field.integer, default=0),
    )


_HEALTH: dict[str, Callable[[Field], Any]] = {
    "test": _test,
    "interval": Field.duration,
    "timeout": Field.duration,
    "retries": _retries,
    "start_period": Field.duration,
    "start_interval": Field.duration,
    "disable": Field.boolean,
}
_SIMPLE: dict[str, Callable[[Field], Any]] = {
    "image": Field.text,
    "command": Field.words,
    "entrypoint": Field.words,
    "working_dir": Field.text,
    "user": Field.text,
    "hostname": Field.text,
    "container_name": Field.text,
    "init": Field.boolean,
    "read_only": Field.boolean,
    "privileged": Field.boolean,
    "platform": Field.text,
    "shm_size": Field.size,
    "depends_on": _dependencies,
    "healthcheck": _healthcheck,
    "tmpfs": _distinct_texts,
    "profiles": _distinct_texts,
    "stop_signal": Field.text,
    "stop_grace_period": Field.duration,
    "networks": _networks,
    "extra_hosts": _extra_hosts,
    "network_mode": Field.text,
    "external_links": _distinct_texts,
    "labels": Field.text_pairs,
    "ulimits": _ulimits,
    "sysctls": Field.text_pairs,
    "cap_add": _distinct_texts,
    "cap_drop": _distinct_texts,
}
