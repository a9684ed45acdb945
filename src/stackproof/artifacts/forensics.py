"""What is kept of a stack: the slice of a failing test, and everything at the end of a run."""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, count
from pathlib import Path
from typing import Protocol

from stackproof.artifacts.evidence import keep_evidence
from stackproof.artifacts.run import RunArtifacts
from stackproof.artifacts.verdict import Call, folded, verdict
from stackproof.engines.base import LogLine
from stackproof.engines.events import ServiceEvent
from stackproof.engines.timestamps import Moment
from stackproof.errors import StackproofError
from stackproof.stack.diagnosis import describe
from stackproof.stack.running import Stack
from stackproof_redaction import Redactor
from stackproof_redaction.files import mask_name

_KEY = os.urandom(16)
"""With it, nobody can find out a secret by trying which one gives a folder's name."""

LONGEST_NAME = 120
"""Characters of a test's folder name; file systems allow 255 bytes."""


@dataclass(frozen=True)
class Kept:
    """What is kept of a failing test.

    Attributes:
        files: The files that were written.
        verdict: A line for each error, end and failed check of a service, earliest first.
    """

    files: list[Path]
    verdict: list[str]


class Journal(Protocol):
    """Where a test's own gateway calls can be read."""

    def requests(self) -> Sequence[Call]:
        """The calls, oldest first; does not raise, since the gateway may be what has failed."""


def keep_failure(
    stack: Stack,
    artifacts: RunArtifacts,
    *,
    test: str,
    began: Moment,
    called: float,
    report: str,
    phase: str = "call",
    gateway: Journal | None = None,
    history: Sequence[str] = (),
) -> Kept:
    """Write what every service did during a failing test, and say what has gone wrong in each.

    Args:
        stack: The stack that the test ran against.
        artifacts: Where to write.
        test: The test's id.
        began: When its fixtures began.
        called: When the test itself began, in seconds since the epoch; times are told from then.
        report: Its failure as text.
        phase: Which part of it failed: `setup`, `call` or `teardown`.
        gateway: Where its model calls can be read.
        history: What its oracle has seen.

    Returns:
        The files, and a line for each error, end and failed check of a service; never raises,
        since a test has failed already.
    """
    folder = _new_folder(artifacts, test, phase)
    head = f"{test} ({phase})\n\n"
    written = [artifacts.write_text(f"{folder}/failure.txt", head + report)]
    if history:
        written.append(artifacts.write_lines(f"{folder}/oracle.txt", history))
    kept = Kept(written, [])
    with contextlib.suppress(StackproofError, OSError):
        calls = _keep_calls(gateway, artifacts, folder, written) if gateway else ()
        since = began.earliest()
        _keep_services(stack, artifacts, folder, calls, since=since, called=called, kept=kept)
    return kept


def _keep_calls(
    gateway: Journal, artifacts: RunArtifacts, folder: str, written: list[Path]
) -> Sequence[Call]:
    """Write the model calls of the test, if there are any; note the file."""
    calls = gateway.requests()
    if calls:
        shown = [vars(call) for call in calls]
        written.append(artifacts.write_json(f"{folder}/gateway.json", shown))
    return calls


def _keep_services(
    stack: Stack,
    artifacts: RunArtifacts,
    folder: str,
    calls: Sequence[Call],
    *,
    since: str,
    called: float,
    kept: Kept,
) -> None:
    """Write what services wrote and what happened to them; note the files and the verdict."""
    running, files = stack.running, kept.files
    lines = list(running.logs(since=since))
    events, status = running.events(since), running.status()
    told = verdict(stack.plan, lines, events, status, calls, began=called)
    kept.verdict.extend(artifacts.redactor.lines(told))
    whole = _merged(folded(lines), events)
    files.append(artifacts.write_lines(f"{folder}/timeline.log", whole))
    for service in sorted({line.service for line in lines}):
        own = [line for line in lines if line.service == service]
        artifacts.write_lines(f"{folder}/logs/{service}.log", render_lines(own))
    states = [describe(state) for state in status]
    files.append(artifacts.write_lines(f"{folder}/services.txt", [*told, "", *states]))
    files.append(artifacts.write_json(f"{folder}/details.json", running.details()))
    told = keep_evidence(stack, artifacts, folder, files)
    kept.verdict.extend(artifacts.redactor.lines(told))


def _merged(lines: Iterable[LogLine], events: Sequence[ServiceEvent]) -> Iterator[str]:
    """Log lines and events by time, as text."""
    texts = ((line.at, text) for line, text in _rendered(lines))
    happened = ((event.at, f"{event.at} {event.service} event: {event}") for event in events)
    return (text for _, text in heapq.merge(texts, happened, key=lambda pair: pair[0]))


def collect(stack: Stack, artifacts: RunArtifacts) -> None:
    """Write the logs of all services, and what `describe_stack` writes."""
    by_service: dict[str, list[LogLine]] = {}
    for line in stack.running.logs():
        by_service.setdefault(line.service, []).append(line)
    for service, lines in by_service.items():
        artifacts.write_lines(f"logs/{service}.log", render_lines(lines))
    describe_stack(stack, artifacts)


def describe_stack(stack: Stack, artifacts: RunArtifacts) -> None:
    """Write the states, details and Python packages of all services, and their plan."""
    artifacts.write_json("services.json", [asdict(status) for status in stack.running.status()])
    artifacts.write_json("details.json", stack.running.details())
    for packages in sorted(stack.plan.run_folder.glob("python/*.txt")):
        artifacts.write_text(f"python/{packages.name}", packages.read_text(encoding="utf-8"))
    hidden = {"secrets", "gateway_token"}
    plan = {key: value for key, value in asdict(stack.plan).items() if key not in hidden}
    artifacts.write_json("plan.json", plan)
    _keep_receipt(stack, artifacts)


def _keep_receipt(stack: Stack, artifacts: RunArtifacts) -> None:
    """Write what services could do to their surroundings, where that can be tried."""
    try:
        receipt = stack.running.receipt()
    except StackproofError as error:
        artifacts.write_text("isolation.txt", f"no receipt was taken: {error}\n")
        return
    if receipt is not None:
        artifacts.write_json("isolation.json", receipt.to_json())
        artifacts.write_lines("isolation.txt", receipt.lines())


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
    return (text for _, text in _rendered(lines))


def _rendered(lines: Iterable[LogLine]) -> Iterator[tuple[LogLine, str]]:
    return ((line, f"{line.at} {line.service} {line.stream}: {line.text}") for line in lines)


def _new_folder(artifacts: RunArtifacts, test: str, phase: str) -> str:
    """A folder of this failure alone; those of a later phase or another try of the test differ."""
    name = _folder_name(test, artifacts.redactor) + (".teardown" if phase == "teardown" else "")
    names = chain([name], (f"{name}.{number}" for number in count(2)))
    return next(f"failures/{name}" for name in names if _is_made(artifacts.folder, name))


def _is_made(root: Path, name: str) -> bool:
    try:
        (root / "failures" / name).mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def _folder_name(test: str, redactor: Redactor) -> str:
    """The name of a test's folder, which no other test has, be they called `a/b` and `a-b`."""
    masked = mask_name(test, redactor)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", masked).strip("-")[-LONGEST_NAME:]
    key = b"" if masked == test else _KEY
    digest = hashlib.blake2b(test.encode(errors="replace"), key=key, digest_size=4).hexdigest()
    return f"{name}-{digest}"
