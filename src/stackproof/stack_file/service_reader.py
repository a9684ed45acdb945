"""One service of a Compose file → the model.

Source: the Compose Specification, "Services top-level element", "Build", "Deploy".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stackproof.stack_file.env_files import read_environment
from stackproof.stack_file.fields import Field
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.model import (
    Build,
    Dependency,
    Healthcheck,
    Limits,
    Restart,
    Service,
)
from stackproof.stack_file.mounts import host_path, read_mounts
from stackproof.stack_file.ports import distinct_ports, read_exposed, read_ports
from stackproof.stack_file.scalars import whole_number
from stackproof.stack_file.yaml_nodes import Node

JOINS = ("network_mode", "pid", "ipc", "uts", "cgroup", "userns_mode")
"""Keys that can put a service into namespaces of this machine or of another container."""

_CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
_POLICIES = {"no", "always", "on-failure", "unless-stopped"}
_DEPLOY_CONDITIONS = {"none": "no", "any": "always", **{one: one for one in _POLICIES}}


def read_service(name: str, field: Field, base: Path, variables: Interpolation) -> Service:
    """Read one service.

    Args:
        name: Its name.
        field: Its mapping, merged and interpolated.
        base: What relative paths are resolved against.
        variables: For `env_file` and variables that are passed through.

    Raises:
        ConfigError: At the first thing that is wrong.
    """
    parts = {key: one for key, one in field.mapping().items() if one.value is not None}
    if "image" not in parts and "build" not in parts:
        field.fail(f"the service {name} has neither image nor build", remedy="add one of them")
    found: dict[str, Any] = {"name": name, "environment": read_environment(parts, base, variables)}
    for key, read in _SIMPLE.items():
        if key in parts:
            found[key] = read(parts[key])
    if "build" in parts:
        found["build"] = _build(parts["build"], base, variables)
    found["ports"] = distinct_ports(p for one in _list(parts, "ports") for p in read_ports(one))
    found["expose"] = tuple(
        dict.fromkeys(p for one in _list(parts, "expose") for p in read_exposed(one))
    )
    found["mounts"] = read_mounts(_list(parts, "volumes"), base)
    if "network_mode" in parts and "networks" in parts:
        parts["networks"].fail("a service has network_mode or networks", remedy="remove one")
    if "scale" in parts:
        _only_one(parts["scale"])
    deploy = _deploy(parts["deploy"]) if "deploy" in parts else {}
    found["limits"] = _limits(parts, deploy.get("limits"))
    found["reservations"] = Limits(**deploy.get("reservations", {}))
    if "restart" in parts:
        found["restart"] = _restart(parts["restart"])
    if "restart" in deploy:
        found["restart"] = deploy["restart"]
    found["links"] = _links(parts)
    found["depends_on"] = _implied(parts) | found.get("depends_on", {})
    found["joins"] = {key: parts[key].text() for key in JOINS if key in parts}
    extension = field.value.get("x-stackproof")
    if extension is not None:
        plain = Field(extension, f"{field.key}.x-stackproof")
        plain.mapping()
        found["extension"] = plain.plain()
    return Service(**found)


def _list(parts: Mapping[str, Field], key: str) -> list[Field]:
    return parts[key].sequence() if key in parts else []


def _mapping_of_texts(field: Field) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else "" if value is None else value.text()
        for name, value in field.pairs()
    }


def _build(field: Field, base: Path, variables: Interpolation) -> Build:
    if not isinstance(field.value, dict):
        context_node = Node(field.value, field.node.where)
        field = Field(Node({"context": context_node}, field.node.where), field.key)
    parts = {key: one for key, one in field.mapping().items() if one.value is not None}
    context = parts["context"].text() if "context" in parts else "."
    args: dict[str, str | None] = {}
    for name, value in parts["args"].pairs() if "args" in parts else ():
        text = value.text() if isinstance(value, Field) else value
        args[name] = variables.look_up(name) if text is None else text
    if "dockerfile" in parts and "dockerfile_inline" in parts:
        parts["dockerfile"].fail("a build has dockerfile or dockerfile_inline", remedy="remove one")
    if "://" in context or context.startswith("git@"):
        parts["context"].fail(
            f"the build context {context} is not a folder", remedy="clone it, and name the folder"
        )
    return Build(
        context=host_path(context, base),
        dockerfile=parts["dockerfile"].text() if "dockerfile" in parts else "Dockerfile",
        dockerfile_inline=(
            parts["dockerfile_inline"].text() if "dockerfile_inline" in parts else None
        ),
        target=parts["target"].text() if "target" in parts else None,
        args={name: value for name, value in args.items() if value is not None},
    )


def _dependencies(field: Field) -> dict[str, Dependency]:
    if isinstance(field.value, list):
        return {one.text(): Dependency() for one in field.sequence()}
    return {name: _dependency(one) for name, one in field.mapping().items()}


def _dependency(field: Field) -> Dependency:
    field.choose(dict.fromkeys(["condition", "restart", "required"]), {})
    parts = field.mapping()
    condition = parts["condition"].text() if "condition" in parts else "service_started"
    if condition not in _CONDITIONS:
        parts["condition"].fail(
            f"the condition {condition!r} is not known",
            remedy=f"write one of {', '.join(sorted(_CONDITIONS))}",
        )
    return Dependency(
        condition=condition,  # type: ignore[arg-type] # checked above
        restart="restart" in parts and parts["restart"].boolean(),
        required=parts["required"].boolean() if "required" in parts else True,
    )


def _links(parts: Mapping[str, Field]) -> dict[str, str]:
    """The further names that this service has for others, and whose they are."""
    pairs = [one.text().partition(":") for one in _list(parts, "links")]
    return {alias: name for name, _, alias in pairs if alias}


def _implied(parts: Mapping[str, Field]) -> dict[str, Dependency]:
    """Services whose network or names this one shares, and so depends on."""
    links = [one.text().split(":")[0] for one in _list(parts, "links")]
    modes = (parts[key].text() for key in ("network_mode", "ipc", "pid", "uts") if key in parts)
    shared = [mode.removeprefix("service:") for mode in modes if mode.startswith("service:")]
    return {name: Dependency(restart=True) for name in [*links, *shared]}


def _healthcheck(field: Field) -> Healthcheck:
    times = ("interval", "timeout", "start_period", "start_interval")
    parts = {key: one for key, one in field.mapping().items() if one.value is not None}
    found: dict[str, Any] = {key: parts[key].duration() for key in times if key in parts}
    if "retries" in parts:
        found["retries"] = parts["retries"].integer()
        if found["retries"] < 0:
            parts["retries"].fail("must not be negative", remedy="write 0 or more")
    if "disable" in parts:
        found["disable"] = parts["disable"].boolean()
    if "test" in parts:
        found["test"] = _test(parts["test"])
        found["disable"] = found.get("disable", False) or found["test"] == ("NONE",)
    return Healthcheck(**found)


def _test(field: Field) -> tuple[str, ...]:
    if not isinstance(field.value, list):
        return ("CMD-SHELL", field.text())
    words = tuple(one.text() for one in field.sequence())
    if words and words[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        field.fail("a list as test begins with CMD, CMD-SHELL or NONE",
                   remedy='write ["CMD", "program", "argument"]')  # fmt: skip
    if words[:1] == ("CMD-SHELL",) and len(words) != 2:  # noqa: PLR2004 - itself and the command
        field.fail("CMD-SHELL takes one text", remedy='write ["CMD-SHELL", "command line"]')
    return words


def _restart(field: Field) -> Restart:
    text = field.text() or "no"
    policy, colon, written = text.partition(":")
    retries = whole_number(written)
    if policy not in _POLICIES or (colon and (policy != "on-failure" or retries is None)):
        field.fail(
            f"the restart policy {text!r} is not known",
            remedy='write "no", always, unless-stopped, on-failure or on-failure:3',
        )
    return Restart(policy, retries)  # type: ignore[arg-type] # checked above


def _only_one(field: Field) -> None:
    if field.integer() != 1:
        field.fail("stackproof runs one container a service", remedy="write 1, or remove it")


def _deploy(field: Field) -> dict[str, Any]:
    found: dict[str, Any] = {}
    parts = {key: one for key, one in field.mapping().items() if one.value is not None}
    if "replicas" in parts:
        _only_one(parts["replicas"])
    if "resources" in parts:
        for kind in ("limits", "reservations"):
            one = parts["resources"].mapping().get(kind)
            if one is not None:
                found[kind] = _bounds(one)
    if "restart_policy" in parts:
        policy = parts["restart_policy"].mapping()
        condition = policy["condition"].text() if "condition" in policy else "any"
        if condition not in _DEPLOY_CONDITIONS:
            policy["condition"].fail(f"the condition {condition!r} is not known",
                                     remedy="write none, on-failure or any")  # fmt: skip
        attempts = policy["max_attempts"].integer() if "max_attempts" in policy else None
        found["restart"] = Restart(_DEPLOY_CONDITIONS[condition], attempts)  # type: ignore[arg-type] # as above
    return found


def _bounds(field: Field) -> dict[str, Any]:
    readers: dict[str, Callable[[Field], Any]] = {
        "cpus": Field.number, "memory": Field.size, "pids": Field.integer
    }  # fmt: skip
    return {
        key: readers[key](one)
        for key, one in field.mapping().items()
        if key in readers and one.value is not None
    }


def _limits(parts: Mapping[str, Field], deploy: Mapping[str, Any] | None) -> Limits:
    short: dict[str, tuple[str, Callable[[Field], Any]]] = {
        "cpus": ("cpus", Field.number),
        "mem_limit": ("memory", Field.size),
        "pids_limit": ("pids", Field.integer),
    }
    found: dict[str, Any] = dict(deploy or {})
    for key, (bound, read) in short.items():
        value = read(parts[key]) if key in parts else None
        if not value:
            continue
        if deploy is not None and deploy.get(bound) != value:
            parts[key].fail(
                f"{key} is not the same as deploy.resources.limits.{bound}",
                remedy="write all limits in one of the two places",
            )
        found[bound] = value
    return Limits(**{key: value or None for key, value in found.items()})


def _networks(field: Field) -> dict[str, tuple[str, ...]]:
    if isinstance(field.value, list):
        return {one.text(): () for one in field.sequence()}
    found: dict[str, tuple[str, ...]] = {}
    for name, one in field.mapping().items():
        aliases = one.mapping().get("aliases")
        found[name] = _distinct_texts(aliases) if aliases is not None else ()
    return found


def _distinct_texts(field: Field) -> tuple[str, ...]:
    """A list of texts in which the last of those with the same name before a = counts."""
    return tuple({one.partition("=")[0]: one for one in field.texts()}.values())


def _extra_hosts(field: Field) -> tuple[str, ...]:
    """Each as `host=address`."""
    if not isinstance(field.value, list):
        pairs = ((name, ip) for name, one in field.mapping().items() for ip in one.texts())
        return tuple(f"{name}={ip.strip('[]')}" for name, ip in pairs)
    found = []
    for one in field.sequence():
        name, _, ip = one.text().partition("=" if "=" in one.text() else ":")
        if not name or not ip:
            one.fail(f"{one.text()!r} has no name or no address", remedy='write "host:10.0.0.1"')
        found.append(f"{name}={ip.strip('[]')}")
    return tuple(dict.fromkeys(found))


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
    "labels": _mapping_of_texts,
}
