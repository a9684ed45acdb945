"""Sentences about what the process engine does otherwise than a container would."""

from __future__ import annotations

import os
from collections.abc import Sequence

from stackproof.plan.model import Translation
from stackproof.plan.services.drafts import Draft
from stackproof.plan.services.folders import Folders
from stackproof.stack_file.model import StackFile


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
        "ports": "has UDP ports, which keep their numbers"
        if any(port.protocol == "udp" for port in service.ports)
        else "",
    }
    return [f"{draft.name}: {text} (`{key}`)" for key, text in asked.items() if text]


def _extra_hosts(draft: Draft) -> bool:
    return any("host-gateway" not in one for one in draft.service.extra_hosts)


def unseen_mounts(draft: Draft, folders: Folders, translations: Sequence[Translation]) -> list[str]:
    """Mounts whose container path no setting names, so that only the program itself could know it.

    Args:
        draft: The service.
        folders: Its files.
        translations: What was translated for it.
    """
    if draft.known is not None:
        return []
    used = [one.after for one in translations if "path" in one.rule]
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
