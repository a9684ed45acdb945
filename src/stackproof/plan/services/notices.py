"""Sentences about what is done otherwise than the stack file says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.folders import Folders
from stackproof.plan.world.kernel import shortfalls_of
from stackproof.stack_file.model import Service, StackFile


def ignored_by_processes(draft: Draft, stack_file: StackFile) -> list[str]:
    """What the stack file asks of a service that a process of this machine does not get.

    Args:
        draft: The service.
        stack_file: Where it stands.
    """
    service = draft.service
    isolated = [
        name
        for name in service.networks
        if name in stack_file.networks and stack_file.networks[name].internal
    ]
    asked = {
        "user": f"runs as you, not as user {service.user}"
        if service.user and service.user != f"{os.getuid()}:{os.getgid()}"
        else "",
        "privileged": "is not privileged" if service.privileged else "",
        "read_only": "can write to the file system" if service.read_only else "",
        "platform": f"runs on this machine's platform, not on {service.platform}"
        if service.platform
        else "",
        "shm_size": "shares /dev/shm with this machine" if service.shm_size else "",
        "extra_hosts": "knows no extra hosts" if _extra_hosts(draft) else "",
        "networks": f"is not cut off by the internal network {', '.join(isolated)}"
        if isolated
        else "",
        "ports": "; ".join(_ports(service, "keep their numbers")),
        "ulimits": "has the limits of this machine's processes" if service.ulimits else "",
        "sysctls": "sees this machine's settings of the kernel" if service.sysctls else "",
        "cap_add": f"has no more rights than you, nor {', '.join(service.cap_add)}"
        if service.cap_add
        else "",
        "cap_drop": f"keeps {', '.join(service.cap_drop)}" if service.cap_drop else "",
    }
    return [f"{draft.name}: {text} (`{key}`)" for key, text in asked.items() if text]


def ignored_in_rooms(draft: Draft) -> list[str]:
    """What the stack file asks of a service that it does not get in a private world.

    Args:
        draft: The service.
    """
    service = draft.service
    asked = {
        "privileged": "is not privileged" if service.privileged else "",
        "init": "is the first of its processes itself" if service.init else "",
        "platform": f"runs on this machine's platform, not on {service.platform}"
        if service.platform
        else "",
        "ports": "; ".join(_ports(service, "are reached by its peers, and not published")),
        **dict(shortfalls_of(service)),
        "network_mode": "has no network, so that no port of it can be published"
        if service.network_mode == "none" and service.ports
        else "",
    }
    return [f"{draft.name}: {text} (`{key}`)" for key, text in asked.items() if text]


def _ports(service: Service, udp: str) -> Iterator[str]:
    if any(port.protocol == "udp" for port in service.ports):
        yield f"has UDP ports, which {udp}"
    published: dict[int, list[str]] = {}
    for port in service.ports:
        if port.protocol == "tcp" and port.published and port.published.isdecimal():
            published.setdefault(port.target, []).append(port.published)
    for target, numbers in published.items():
        if len(numbers) > 1:
            yield f"publishes its port {target} once, not as {' and '.join(numbers[1:])} as well"


def replaced_check(draft: Draft) -> list[str]:
    """What becomes of a health check beside `x-stackproof.ready`; so on both engines.

    Args:
        draft: The service.
    """
    check = draft.service.healthcheck
    if draft.extension.ready is None or check is None or check.disable or not check.test:
        return []
    told = (
        "`x-stackproof.ready` decides whether it is ready; of its `healthcheck`, the times count, "
    )
    return [f"{draft.name}: {told}and the test does not"]


_ARE = ("is", "are")


def missed_services(stack_file: StackFile) -> list[str]:
    """Services that start without others which are left out.

    Args:
        stack_file: The stack file.
    """
    return [
        f"{name} starts without {', '.join(missed)}, which {_ARE[len(missed) > 1]} left out"
        for name, missed in stack_file.missed.items()
    ]


def unset_variables(stack_file: StackFile) -> list[str]:
    """Variables that are not set, once each, as Compose warns of them.

    Args:
        stack_file: The stack file.
    """
    return [
        f"{where.short}: the variable {name} is not set; an empty text stands for it"
        for name, where in stack_file.unset.items()
    ]


def ignored_keys(stack_file: StackFile, name: str, *, is_private: bool = False) -> list[str]:
    """One line about the keys of a service that change nothing.

    Args:
        stack_file: Where it stands.
        name: The service.
        is_private: Whether it has a network and names of its own.
    """
    prefix = f"services.{name}."
    joins = dict(stack_file.services[name].joins)
    if is_private:
        joins.pop("network_mode", None)
    keys = [
        key.removeprefix(prefix)
        for key in stack_file.ignored
        if key.startswith(prefix) and key.removeprefix(prefix) not in joins
    ]
    if is_private:
        keys = [key for key in keys if key not in {"links", "network_mode"}]
    keys += [key for key, value in joins.items() if value in {"none", "private"}]
    if not keys:
        return []
    place = stack_file.location(prefix + keys[0])
    where = f" ({place.short})" if place else ""
    return [f"{name}: no effect without containers: {', '.join(keys)}{where}"]


def _extra_hosts(draft: Draft) -> bool:
    return any("host-gateway" not in host for host in draft.service.extra_hosts)


def unseen_mounts(draft: Draft, folders: Folders, translations: Sequence[Translation]) -> list[str]:
    """Mounts whose container path no setting names, so that only the program itself could know it.

    Args:
        draft: The service.
        folders: Its files.
        translations: What was translated for it.
    """
    if draft.known is not None:
        return []
    used = [translation.after for translation in translations if "path" in translation.rule]
    workdir = draft.image.workdir if draft.image else draft.service.working_dir
    found = []
    for target, path in folders.mounts.items():
        inside = folders.paths.get(workdir or "")
        if inside is not None and path == inside / target[len(workdir or "") :].strip("/"):
            continue  # the working folder itself, or a part of it in its own place
        if str(path) != target and not any(str(path) in text for text in used):
            found.append(
                f"{draft.name}: {target} is {path} here; if its program has that path built in, "
                "name it in a variable or in the command"
            )
    return found
