"""Two ways to one form: what `docker compose config` printed, and a stack file in its shape."""

import os
import posixpath
import re

ENVIRONMENT_OF = {"secrets": "value", "configs": "value"}
"""What the variable of the corpus says that its secrets and configs name."""

OPTIONS = [("bind", "create_host_path"), ("bind", "selinux"), ("bind", "propagation"),
           ("volume", "nocopy")]  # fmt: skip
DURATION = re.compile(r"([\d.]+)(h|ms|µs|ns|m|s)")
SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


# --- what Compose prints, without what the model leaves out on purpose ---------------------------


def canonical(document, ignored):
    """The document that Compose printed, with each of these brought to one form.

    - What the reader lists as ignored is left out.
    - Top-level `x-…` keys: nothing reads them but `x-stackproof`, which has a test of its own.
    - `ipam: {}` and `placement: {}` are printed for nothing.
    - A variable without a value (null) is one that the container does not get.
    - `scale: 1` says nothing; `scale` and `deploy.replicas` are one number.
    - Limits have two spellings (`mem_limit`, `deploy.resources.limits.memory`), one in the model.
    - So has the restart policy.
    - A test of NONE switches a health check off, as `disable` does.
    - Durations are seconds, sizes are numbers.
    - Where nothing is written the model has Docker's default in its place.
    - A bound of `ulimits` that is 0 is not printed.
    - A port that is printed twice is published once; `extra_hosts` have no order.
    - `create_host_path` has another default in another version of Compose; nothing reads it.
    - Options of short mounts (`z`, `nocopy`, `rshared`) are no keys; nothing reads them.
    - The source of a mount is the same place with and without `..` and `//` in it.
    - A dependency that is not required, on a service that is off, is nothing to wait for.
    """
    for path in ignored:
        _drop(document, path)
    found = {key: one for key, one in document.items() if not key.startswith("x-")}
    for name, one in found["services"].items():
        _lend(name, one, found["services"])
    granted = {kind: found.pop(kind, {}) for kind in ("secrets", "configs")}
    for one in found["services"].values():
        _grant(one, granted)
    found["services"] = {
        name: _service(one, document["services"]) for name, one in document["services"].items()
    }
    for kind in ("networks", "volumes"):
        found[kind] = {
            key: {inner: value for inner, value in one.items() if value != {}}
            for key, one in document.get(kind, {}).items()
        }
    return found


def _lend(name, service, services):
    """The mounts of others that a service has as well, without those that it has itself."""
    for entry in service.pop("volumes_from", ()):
        lender, _, mode = entry.partition(":")
        _lend(lender, services[lender], services)
        taken = {one["target"] for one in service.get("volumes", ())}
        lent = [one | ({"read_only": True} if mode == "ro" else {})
                for one in services[lender].get("volumes", ()) if one["type"] != "tmpfs"
                and one["target"] not in taken]  # fmt: skip
        service["volumes"] = [*service.get("volumes", ()), *lent]


def _grant(service, granted):
    """Secrets and configs as the mounts that they become; the value of a variable is not told."""
    folders = {"secrets": "/run/secrets/", "configs": "/"}
    for kind, folder in folders.items():
        for grant in service.pop(kind, ()):
            about = granted[kind][grant["source"]]
            target = posixpath.join(folder, grant.get("target") or grant["source"])
            mount = {"type": "bind", "target": target, "read_only": True}
            source = about.get("file") or about.get("content") or ENVIRONMENT_OF[kind]
            service["volumes"] = [*service.get("volumes", ()), mount | {"source": source}]


def _drop(document, path):
    *parents, last = re.findall(r"[^.\[\]]+", path)
    for name in parents:
        document = document[int(name)] if isinstance(document, list) else document.get(name) or {}
    if isinstance(document, dict):
        document.pop(last, None)


def _service(printed, on):
    ports = printed.get("ports", [])
    deploy = printed.pop("deploy", {})
    resources = deploy.get("resources", {})
    expose = {"tcp": {}, "udp": {}}
    for entry in printed.get("expose", []):
        numbers, _, protocol = entry.partition("/")
        expose[protocol.lower() or "tcp"].update(dict.fromkeys(_numbers(numbers)))
    found = {
        "command": None,
        "entrypoint": None,
        "stop_signal": "",
        **printed,
        "scale": _replicas(printed.get("scale"), deploy.pop("replicas", None)),
        "limits": _bounds(printed) | _bounds(resources.get("limits", {})),
        "reservations": _bounds(resources.get("reservations", {})),
        "restart": _restart(printed, deploy.get("restart_policy")),
        "stop_grace_period": _seconds(printed.get("stop_grace_period", "10s")),
        "environment": {
            key: value for key, value in printed.get("environment", {}).items() if value is not None
        },
        "expose": list(expose["tcp"]),
        "expose_udp": list(expose["udp"]),
        "extra_hosts": sorted(printed.get("extra_hosts", [])),
        "networks": {name: one or None for name, one in printed.get("networks", {}).items()},
        "ports": [one for at, one in enumerate(ports) if one not in ports[:at]],
        "depends_on": {
            name: one
            for name, one in printed.get("depends_on", {}).items()
            if one["required"] or name in on
        },
        "healthcheck": _healthcheck(printed.get("healthcheck")),
        "volumes": [_mount(one) for one in printed.get("volumes", ())],
        "develop": [_watch(one) for one in printed.get("develop", {}).get("watch", ())],
        "shm_size": int(printed.get("shm_size", 0)),
        "ulimits": {name: _bound(one) for name, one in printed.get("ulimits", {}).items()},
        "deploy": {
            key: one
            for key, one in deploy.items()
            if key not in {"resources", "restart_policy"} and one and one != 1
        },
    }
    for key in ("cpus", "mem_limit", "pids_limit"):
        found.pop(key, None)
    return _filled(found)


def _replicas(*printed):
    count = next((one for one in printed if one is not None), 1)
    return None if count == 1 else str(count)


def _bound(printed):
    """Soft and hard bound, of which Compose leaves out what is 0."""
    if isinstance(printed, int):
        return [printed, printed]
    return [printed.get("soft", 0), printed.get("hard", 0)]


def _healthcheck(printed):
    if printed is None:
        return None
    found = {key: _seconds(one) if isinstance(one, str) else one for key, one in printed.items()}
    disabled = found.pop("disable", False) or found.get("test") == ["NONE"]
    return {**found, "disable": True} if disabled else found


def _mount(printed):
    found = {"bind": {}, "volume": {}, "tmpfs": {}, **printed}
    for kind, option in OPTIONS:
        found[kind].pop(option, None)
    if found["type"] == "bind":
        found["source"] = os.path.normpath(found["source"])
    if "size" in found["tmpfs"]:
        found["tmpfs"]["size"] = int(found["tmpfs"]["size"])
    return found


def _watch(printed):
    """A rule of `develop.watch`; the command of one that has none is printed as null."""
    found = _filled(printed)
    if not found.get("exec", {}).get("command"):
        found.pop("exec", None)
    return found


def _bounds(printed):
    names = {"mem_limit": "memory", "pids_limit": "pids"}
    return {
        names.get(key, key): float(printed[key])
        for key in ("cpus", "memory", "pids", *names)
        if printed.get(key)
    }


def _restart(printed, policy):
    if policy is None:
        name, _, retries = printed.get("restart", "no").partition(":")
        return [name, int(retries) if retries else None]
    names = {"none": "no", "any": "always"}
    condition = policy.get("condition", "any")
    return [names.get(condition, condition), policy.get("max_attempts")]


def _seconds(text):
    return round(sum(float(number) * SECONDS[unit] for number, unit in DURATION.findall(text)), 9)


def _numbers(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _filled(mapping):
    """Without keys that are empty; None and empty lists of commands say something."""
    kept = {"command", "entrypoint"}
    return {
        key: value for key, value in mapping.items()
        if key in kept or value not in (None, False, "", (), [], {})
    }  # fmt: skip


# --- the model in the shape that Compose prints --------------------------------------------------


def as_compose(stack, services):
    """A stack file with these services on, as Compose prints it."""
    project = stack.name or stack.project_directory.name
    networks = {name for one in services.values() for name in _networks_of(stack, one)}
    mounts = {m.source for one in services.values() for m in one.mounts if m.kind == "volume"}
    return {
        "name": project,
        "services": {name: _service_as_compose(stack, one) for name, one in services.items()},
        "networks": {
            name: _network_as_compose(stack.networks.get(name), name, project) for name in networks
        },
        "volumes": {
            name: _volume_as_compose(one, name, project)
            for name, one in stack.volumes.items()
            if name in mounts
        },
    }


def _networks_of(stack, service):
    if f"services.{service.name}.network_mode" in stack.ignored:
        return {}
    return service.networks or {"default": ()}


def _name(written, key, project, external):
    return {"name": written or (key if external else f"{project}_{key}")}


def _network_as_compose(network, key, project):
    if network is None:
        return {"name": f"{project}_{key}"}
    subnets = [_filled(vars(one)) for one in network.subnets]
    found = {"external": network.external, "internal": network.internal, "driver": network.driver,
             "labels": dict(network.labels),
             "ipam": {"config": subnets} if subnets else None}  # fmt: skip
    return _name(network.name, key, project, network.external) | _filled(found)


def _volume_as_compose(volume, key, project):
    found = {"external": volume.external, "labels": dict(volume.labels), "driver": volume.driver,
             "driver_opts": dict(volume.options)}  # fmt: skip
    return _name(volume.name, key, project, volume.external) | _filled(found)


def _service_as_compose(stack, service):
    same = ("image", "container_name", "working_dir", "user", "hostname", "init", "read_only",
            "privileged", "platform", "shm_size", "stop_signal", "stop_grace_period")  # fmt: skip
    found = {key: getattr(service, key) for key in same}
    found |= {
        "command": _listed(service.command),
        "entrypoint": _listed(service.entrypoint),
        "build": _build_as_compose(service.build),
        "environment": dict(service.environment),
        "labels": dict(service.labels),
        "ulimits": {name: list(bounds) for name, bounds in service.ulimits.items()},
        "sysctls": dict(service.sysctls),
        "cap_add": list(service.cap_add),
        "cap_drop": list(service.cap_drop),
        "profiles": list(service.profiles),
        "scale": None if service.replicas == 1 else str(service.replicas),
        "tmpfs": list(service.tmpfs),
        "expose": list(service.expose),
        "expose_udp": list(service.expose_udp),
        "extra_hosts": sorted(service.extra_hosts),
        "external_links": list(service.external_links),
        "ports": [_port_as_compose(one) for one in service.ports],
        "volumes": [_mount_as_compose(one) for one in service.mounts],
        "develop": [_watch_as_compose(one) for one in service.watch],
        "healthcheck": _healthcheck_as_compose(service.healthcheck),
        "restart": [service.restart.policy, service.restart.max_retries],
        "limits": _limits_as_compose(service.limits),
        "reservations": _limits_as_compose(service.reservations),
        "networks": {
            name: _filled({"aliases": list(aliases), "ipv4_address": service.addresses.get(name)})
            or None
            for name, aliases in _networks_of(stack, service).items()
        },
        "depends_on": {
            name: {"condition": one.condition, "required": one.required}
            | ({"restart": True} if one.restart else {})
            for name, one in service.depends_on.items()
        },
    }
    return _filled(found)


def _listed(words):
    return None if words is None else list(words)


def _build_as_compose(build):
    if build is None:
        return None
    found = {"context": str(build.context), "dockerfile_inline": build.dockerfile_inline,
             "target": build.target, "args": dict(build.args)}  # fmt: skip
    if not build.dockerfile_inline:
        found["dockerfile"] = build.dockerfile
    return _filled(found)


def _port_as_compose(port):
    found = {"target": port.target, "published": port.published, "host_ip": port.host_ip,
             "protocol": port.protocol, "name": port.name, "app_protocol": port.app_protocol,
             "mode": port.mode}  # fmt: skip
    return _filled(found)


def _mount_as_compose(mount):
    found = {"type": mount.kind, "source": mount.source or mount.content, "target": mount.target,
             "read_only": mount.read_only}  # fmt: skip
    tmpfs = {"size": mount.size} if mount.size else {}
    return _filled(found) | {"bind": {}, "volume": {}, "tmpfs": tmpfs}


def _watch_as_compose(rule):
    command = {"command": list(rule.command), "environment": dict(rule.environment)}
    found = {"path": str(rule.path), "action": rule.action, "target": rule.target,
             "ignore": list(rule.ignore), "include": list(rule.include),
             "exec": _filled(command) if rule.command else None}  # fmt: skip
    return _filled(found)


def _healthcheck_as_compose(check):
    if check is None:
        return None
    found = {
        "test": list(check.test),
        "retries": check.retries,
        "disable": check.disable or None,
    }
    for key in ("interval", "timeout", "start_period", "start_interval"):
        seconds = getattr(check, key)
        found[key] = None if seconds is None else round(seconds, 9)
    return {key: one for key, one in found.items() if one is not None and one != []}


def _limits_as_compose(limits):
    found = {"cpus": limits.cpus, "memory": limits.memory, "pids": limits.pids}
    return {key: float(one) for key, one in found.items() if one}


def differences(ours, printed, path=""):
    """Each place where two documents differ, for a message that a person can read."""
    if isinstance(ours, dict) and isinstance(printed, dict):
        return [
            line
            for key in sorted({*ours, *printed})
            for line in differences(ours.get(key, "—"), printed.get(key, "—"), f"{path}.{key}")
        ]
    if isinstance(ours, list) and isinstance(printed, list) and len(ours) == len(printed):
        return [
            line
            for at, (one, other) in enumerate(zip(ours, printed, strict=True))
            for line in differences(one, other, f"{path}[{at}]")
        ]
    return [] if ours == printed else [f"{path}: ours {ours!r}, Compose {printed!r}"]
