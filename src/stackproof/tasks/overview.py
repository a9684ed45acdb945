"""What there is to tell about a stack without changing anything: settings, changes, runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackproof.engines.unfinished import sweep_cache
from stackproof.errors import ConfigError, StackproofError
from stackproof.isolation.clones import clone_name
from stackproof.lifecycle import Blueprint, Choice, resolve
from stackproof.plan import explain_plan, shared_needs
from stackproof.plan.sharing.sharing import SHARED_RULE, SharedPart
from stackproof.reaper.leftovers import clean, find_runs, read_run
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.redaction import Redactor
from stackproof.settings import default_cache
from stackproof.stack.running_record import RunningRecord, changes, read_about
from stackproof.stack_file import parse_duration


def describe_configuration(blueprint: Blueprint, *, explain: bool) -> Iterator[str]:
    """Every setting with its source, and with `explain` what will run where and why.

    Args:
        blueprint: Whose configuration.
        explain: Also the plan, with each translation of the stack file.
    """
    lines = blueprint.settings.explain()
    keys = max(len(line.key) for line in lines)
    for line in lines:
        yield f"{line.key:<{keys}}  {line.value}  ({line.source})"
    if explain:
        yield ""
        copies = any(
            mount.action == "copy" for one in blueprint.plan.services for mount in one.outside
        )
        why = blueprint.engine.no_copies() if copies else ""
        yield from explain_plan(blueprint.plan, why_no_copy=why)
        yield from _sharing(blueprint)


def _sharing(blueprint: Blueprint) -> Iterator[str]:
    """What an isolated stack has in place of the names of servers that it shares; an example."""
    settings, plan = blueprint.settings, blueprint.plan
    names = settings.isolation.shared
    if not names:
        return
    needs = shared_needs(settings, blueprint.stack_file, engine=settings.engine, names=names)
    parts = {
        one.service: SharedPart(
            one.service,
            "another project",
            {endpoint.target: endpoint.port for endpoint in plan.service(one.service).endpoints},
            database=clone_name(one.database) if one.database else "",
            first_index=one.indexes,
        )
        for one in needs
    }
    own = resolve(replace(blueprint.choice, isolated=True, shared=parts)).plan
    redactor = Redactor(own.secrets)
    yield ""
    yield f"in a test's own stack, which shares {', '.join(names)}"
    for one in own.translations:
        if one.rule == SHARED_RULE:
            yield f"  {one.service} {one.place}"
            yield redactor.text(f"    - {one.before}")
            yield redactor.text(f"    + {one.after}")


def changes_since_start(blueprint: Blueprint) -> list[str]:
    """How the configuration now differs from what the running stack was started from."""
    known = read_about(blueprint.run)
    if known is None:
        return []
    now = RunningRecord.of(blueprint.plan, blueprint.settings, complete=True)
    return changes(known, now).lines


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


def clean_and_list(choice: Choice) -> Iterator[str]:
    """Remove what dead runs have left, then tell what still runs."""
    root = state_root(choice.environment)
    removed = [*clean(root), *sweep_cache(_cache(choice))]
    yield from removed or ["nothing was left behind"]
    for run in find_runs(root):
        owner = f", ends with process {run.owner.pid}" if run.owner else ", stays until `down`"
        if run.is_alive:
            yield f"running: {run.project}{owner}"


def _cache(choice: Choice) -> Path:
    """The cache of the chosen stack, or the default one where its config can't be read."""
    try:
        return resolve(choice).settings.cache
    except StackproofError:
        chosen = choice.environment.get("STACKPROOF_CACHE_DIR")
        return Path(chosen).absolute() if chosen else default_cache(choice.environment)
