"""The record of a run: kinds of things and their identities, never how to remove them.

Each field is checked when it is read, though only this user can have written it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from stackproof.reaper.sweep import ProcessId

NAME = "record.json"

RUN_ID = re.compile(r"[0-9a-f]{16}")
DOCKER_HOST = re.compile(
    r"(?:http\+)?unix://[^\0-\x20\x7f]+"
    r"|npipe://[^\0-\x20\x7f]+"
    r"|(?:(?:tcp|http|https|ssh)://)?(?:[A-Za-z0-9][\w.-]*@)?"
    r"(?:[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:.%]+\])?(?::[0-9]{1,5})?(?:/[\w./-]*)?"
)
"""Where a Docker Engine can listen; nothing that could be taken for an option of ssh."""

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST = 4096


class BadRecordError(ValueError):
    """A record does not say what a record says."""


def text_of(
    *,
    run_id: str,
    project: str,
    boot_id: str,
    pid_namespace: str,
    created: float,
    reaper: ProcessId,
    supervisor: ProcessId | None,
    owner: Sequence[int] | None,
    namespace: str,
    intended: Sequence[str],
    docker_host: str,
) -> bytes:
    """A record as it is written."""
    value = {
        "run_id": run_id,
        "project": project,
        "boot_id": boot_id,
        "pid_namespace": pid_namespace,
        "created": created,
        "owner": list(owner) if owner is not None else None,
        "reaper": list(reaper),
        "supervisor": list(supervisor) if supervisor is not None else None,
        "namespace": namespace,
        "intended": list(intended),
        "docker": {"host": docker_host} if docker_host else None,
    }
    return json.dumps(value).encode()


class Record:
    """A record that was read.

    Args:
        data: The file's contents.

    Raises:
        BadRecordError: If a field is missing, or is not what it must be.

    Attributes:
        run_id: Identity of the run.
        project: Name of the copy of the stack.
        boot_id: The boot of the machine that the processes belong to.
        pid_namespace: What their numbers mean something in.
        owner: Who holds the lease; None where it was released.
        reaper: The reaper.
        supervisor: The supervisor; None before it was started.
        intended: Drafts in a cache that must not outlive the run.
        docker_host: The Docker Engine that may have things of the run; empty for none.
    """

    def __init__(self, data: bytes) -> None:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BadRecordError(str(error)) from None
        if not isinstance(value, dict):
            raise BadRecordError("it is no JSON object")
        self.run_id = _matching(value.get("run_id"), RUN_ID, "run_id")
        self.project = _matching(value.get("project"), _PROJECT, "project")
        self.boot_id = _text(value.get("boot_id"), "boot_id")
        self.pid_namespace = _text(value.get("pid_namespace", ""), "pid_namespace")
        self.owner = _process(value.get("owner"), "owner")
        self.reaper = _process(value.get("reaper"), "reaper")
        self.supervisor = _process(value.get("supervisor"), "supervisor")
        listed = value.get("intended")
        if not isinstance(listed, list):
            raise BadRecordError("intended is no list")
        self.intended = tuple(_text(path, "intended") for path in listed)
        docker = value.get("docker")
        if docker is not None and not isinstance(docker, dict):
            raise BadRecordError("docker is no object")
        self.docker_host = _matching(docker.get("host"), DOCKER_HOST, "docker") if docker else ""


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or "\0" in value:
        raise BadRecordError(f"{field} is no text")
    return value


def _matching(value: object, pattern: re.Pattern[str], field: str) -> str:
    text = _text(value, field)
    if not pattern.fullmatch(text):
        raise BadRecordError(f"{field} is {text!r}")
    return text


def _process(value: object, field: str) -> ProcessId | None:
    if value is None:
        return None
    if not isinstance(value, list) or [type(number) for number in value] != [int, int]:
        raise BadRecordError(f"{field} is no process")
    if value[0] <= 0 or value[1] < 0:
        raise BadRecordError(f"{field} is no process")
    return ProcessId(value[0], value[1])
