"""What is kept of a stack: the slice of a failing test, and everything at the end of a run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from stackproof.artifacts.run import RunArtifacts
from stackproof.engines.base import LogLine
from stackproof.errors import StackproofError
from stackproof.redaction import Redactor
from stackproof.redaction.files import mask_name
from stackproof.stack.diagnosis import describe
from stackproof.stack.running import Stack

_KEY = os.urandom(16)
"""With it, nobody can find out a secret by trying which one gives a folder's name."""

LONGEST_NAME = 120
"""Characters of a test's folder name; file systems allow 255 bytes."""


class Journal(Protocol):
    """Where a test's own gateway calls can be read."""

    def requests(self) -> Iterable[object]:
        """The calls, oldest first."""


def keep_failure(
    stack: Stack,
    artifacts: RunArtifacts,
    *,
    test: str,
    since: str,
    report: str,
    gateway: Journal | None = None,
    history: Sequence[str] = (),
) -> list[Path]:
    """Write what every service did during a failing test.

    Args:
        stack: The stack that the test ran against.
        artifacts: Where to write.
        test: The test's id.
        since: When it began (wall clock, ISO 8601, UTC).
        report: Its failure as text.
        gateway: Its gateway client, if it has one.
        history: What its oracle has seen.

    Returns:
        The files that were written; never raises, since a test has failed already.
    """
    folder = f"failures/{_folder_name(test, artifacts.redactor)}"
    written = [artifacts.write_text(f"{folder}/failure.txt", report)]
    if history:
        written.append(artifacts.write_lines(f"{folder}/oracle.txt", history))
    with contextlib.suppress(StackproofError, OSError):
        lines = list(stack.running.logs(since=since))
        written.append(artifacts.write_lines(f"{folder}/timeline.log", render_lines(lines)))
        for service in sorted({line.service for line in lines}):
            own = [line for line in lines if line.service == service]
            artifacts.write_lines(f"{folder}/logs/{service}.log", render_lines(own))
        states = [describe(status) for status in stack.running.status()]
        written.append(artifacts.write_lines(f"{folder}/services.txt", states))
        written.append(artifacts.write_json(f"{folder}/details.json", stack.running.details()))
    if gateway is not None:
        with contextlib.suppress(Exception):  # the gateway may be what has failed
            calls = [vars(entry) for entry in gateway.requests()]
            written.append(artifacts.write_json(f"{folder}/gateway.json", calls))
    return written


def collect(stack: Stack, artifacts: RunArtifacts) -> None:
    """Write the logs and states of all services, and the plan that they were started from."""
    by_service: dict[str, list[LogLine]] = {}
    for line in stack.running.logs():
        by_service.setdefault(line.service, []).append(line)
    for service, lines in by_service.items():
        artifacts.write_lines(f"logs/{service}.log", render_lines(lines))
    artifacts.write_json("services.json", [asdict(status) for status in stack.running.status()])
    artifacts.write_json("details.json", stack.running.details())
    hidden = {"secrets", "gateway_token"}
    plan = {key: value for key, value in asdict(stack.plan).items() if key not in hidden}
    artifacts.write_json("plan.json", plan)


def read_journal(gateway: str, token: str = "") -> object:
    """The journal of a gateway, all namespaces.

    Args:
        gateway: Its address, such as `http://127.0.0.1:14000`.
        token: Its token.

    Raises:
        StackproofError: If it does not answer.
    """
    import httpx

    headers = {"X-Gateway-Token": token} if token else {}
    try:
        answer = httpx.get(f"{gateway}/_gateway/journal", headers=headers, timeout=10)
        return answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise StackproofError(f"the gateway at {gateway} gave no journal: {error}") from None


def render_lines(lines: Iterable[LogLine]) -> Iterator[str]:
    """Log lines as text: time, service, stream, line."""
    return (f"{line.at} {line.service} {line.stream}: {line.text}" for line in lines)


def _folder_name(test: str, redactor: Redactor) -> str:
    """The name of a test's folder; tests that differ in a secret alone have different ones."""
    masked = mask_name(test, redactor)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", masked).strip("-")[-LONGEST_NAME:]
    if masked == test:
        return name
    return f"{name}-{hashlib.blake2b(test.encode(), key=_KEY, digest_size=4).hexdigest()}"
