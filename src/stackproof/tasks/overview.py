"""What there is to tell about a stack without changing anything: settings, changes, runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackproof.engines.unfinished import sweep_cache
from stackproof.errors import ConfigError, StackproofError
from stackproof.isolation.clones import clone_name
from stackproof.lifecycle import RecordedStack, ResolvedStack, StackRequest, resolve
from stackproof.plan import explain_plan, shared_needs
from stackproof.plan.sharing.sharing import SHARED_RULE, SharedPart
from stackproof.reaper.leftovers import clean, find_runs, read_run
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.settings import default_cache
from stackproof.settings import explain as explain_settings
from stackproof.stack.changes import changes
from stackproof.stack.running import Stack
from stackproof.stack.running_record import read_about
from stackproof.stack_file import parse_duration
from stackproof_redaction import Redactor


def describe_configuration(resolved: ResolvedStack, *, explain: bool) -> Iterator[str]:
    """Every setting with its source, and with `explain` what will run where and why.

    Args:
        resolved: Whose configuration.
        explain: Also the plan, with each translation of the stack file.
    """
    lines = explain_settings(resolved.settings)
    keys = max(len(line.key) for line in lines)
    for line in lines:
        yield f"{line.key:<{keys}}  {line.value}  ({line.source})"
    if explain:
        yield ""
        copies = any(
            mount.action == "copy"
            for service in resolved.plan.services
            for mount in service.outside
        )
        why = resolved.engine.no_copies() if copies else ""
        yield from explain_plan(resolved.plan, why_no_copy=why)
        yield from _data(resolved)
        yield from _sharing(resolved)


def _data(resolved: ResolvedStack) -> Iterator[str]:
    """How an isolated stack gets the data of its snapshot."""
    if resolved.plan.engine != "process":
        return  # containers have images
    how = "each sees them through an overlay; where that is refused, its start says so and copies"
    if resolved.settings.isolation.data == "copy":
        how = "each has a copy: isolation.data"
    elif resolved.plan.world != "private":
        how = "each has a copy: an overlay takes a private world"
    yield ""
    yield "data of the snapshot in isolated stacks"
    yield f"  {how}"


def _sharing(resolved: ResolvedStack) -> Iterator[str]:
    """What an isolated stack has in place of the names of servers that it shares; an example."""
    settings, plan = resolved.settings, resolved.plan
    names = settings.isolation.shared
    if not names:
        return
    needs = shared_needs(settings, resolved.stack_file, engine=settings.engine, names=names)
    parts = {
        need.service: SharedPart(
            need.service,
            "another project",
            {endpoint.target: endpoint.port for endpoint in plan.service(need.service).endpoints},
            database=clone_name(need.database) if need.database else "",
            first_index=need.indexes,
        )
        for need in needs
    }
    own = resolve(replace(resolved.request, isolated=True, shared=parts)).plan
    redactor = Redactor(own.secrets)
    yield ""
    yield f"in an isolated stack, which shares {', '.join(names)}"
    for translation in own.translations:
        if translation.rule == SHARED_RULE:
            yield f"  {translation.service} {translation.place}"
            yield redactor.text(f"    - {translation.before}")
            yield redactor.text(f"    + {translation.after}")


def changes_since_start(resolved: ResolvedStack) -> list[str]:
    """How the configuration now differs from what the running stack was started from."""
    known = read_about(resolved.run)
    if known is None:
        return []
    return changes(known, resolved.of_run(known).record()).lines


def stopped_supervisor(run: RunFolder) -> str:
    """That the supervisor of a running stack is stopped, and what to do; empty where it is not."""
    state = read_run(run.path)
    process = None if state is None else state.supervisor
    if process is None or not process.is_stopped():
        return ""
    return (
        f"the supervisor of {run.project} (process {process.pid}) is stopped: "
        f"`kill -CONT {process.pid}` lets it go on, `invoke down` ends the stack by force"
    )


def unready(stack: Stack) -> str:
    """The services of a stack that are not well, with what each one waits for."""
    return "; ".join(
        f"{status.name} ({status.detail or status.health or status.state})"
        for status in stack.running.status()
        if not status.is_well
    )


def still_running(resolved: ResolvedStack | RecordedStack) -> str:
    """The services of a stack whose processes have not ended."""
    running = resolved.engine.attach(resolved.plan, resolved.run)
    return ", ".join(status.name for status in running.status() if status.pid)


def moment(text: str, *, now: datetime | None = None) -> str:
    """A time that a person wrote, as logs have it: ISO 8601, UTC.

    Args:
        text: A duration before now such as `10m`, a time, or nothing.
        now: The present.

    Raises:
        ConfigError: If it is neither.
    """
    if not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        try:
            at = (now or datetime.now(UTC)) - timedelta(seconds=parse_duration(text))
        except (ConfigError, ValueError):
            raise ConfigError(
                f"--since {text!r} is neither a duration nor a time",
                remedy="write 90s, 10m, 1h30m or 2026-01-31T12:00:00Z",
            ) from None
    if at.tzinfo is None:
        at = at.astimezone()
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def line_count(text: str) -> int | None:
    """How many last lines a person wants to see; None for all.

    Raises:
        ConfigError: If it is no such number.
    """
    if not text:
        return None
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise ConfigError(f"--tail {text!r} is not a number of lines", remedy="write --tail 20")
    return int(text)


def clean_and_list(request: StackRequest) -> Iterator[str]:
    """Remove what dead runs have left, then tell what still runs."""
    root = state_root(request.environment)
    removed = [*clean(root), *sweep_cache(cache_of(request))]
    yield from removed or ["nothing was left behind"]
    for run in find_runs(root):
        owner = f", ends with process {run.owner.pid}" if run.owner else ", stays until `down`"
        if run.is_elsewhere:
            yield (
                f"not removed: {run.project} belongs to another container, whose processes can't "
                f"be seen from here; once that container is gone, remove {run.path}"
            )
        elif run.is_alive:
            yield f"running: {run.project}{owner}"


def cache_of(request: StackRequest) -> Path:
    """The cache of the chosen stack, or the default one where its config can't be read."""
    try:
        return resolve(request).settings.cache
    except StackproofError:
        chosen = request.environment.get("STACKPROOF_CACHE_DIR")
        return Path(chosen).absolute() if chosen else default_cache(request.environment)
