"""A running stack as its record has it, for commands that must work though its files are broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stackproof.engines.base import Engine, Say
from stackproof.errors import NoStack, Refused, StackproofError
from stackproof.lifecycle.ending import end_run
from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.leftovers import find_runs, read_run
from stackproof.reaper.lock import ProjectLock
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.stack.checkout import Checkout
from stackproof.stack.kept_data import KeptData
from stackproof.stack.resolved import StackRequest, make_engine
from stackproof.stack.running import Stack
from stackproof.stack.running_record import RunningRecord, read_about
from stackproof_redaction.names import tells_a_secret


@dataclass(frozen=True)
class RecordedStack:
    """A run of which only its record is known.

    Attributes:
        request: What the person chose.
        run: Its folder.
        engine: What runs it.
        plan: Names of its services, and what else the record says of them.
        record: What it was started from; None where that can't be read.
    """

    request: StackRequest
    run: RunFolder
    engine: Engine
    plan: Plan
    record: RunningRecord | None

    def connect(self) -> Stack:
        """The stack, with the secrets that its services have in their environments."""
        running = self.engine.attach(self.plan, self.run)
        if self.engine.name == "process":  # what it logs is masked already
            return Stack(self.plan, running)
        secrets = tuple(_secrets(running.details().values()))
        plan = replace(self.plan, secrets=secrets)
        return Stack(plan, self.engine.attach(plan, self.run))

    def down(self, say: Say, *, keep_data: bool = False) -> None:
        """Stop it and remove everything that it has made.

        Args:
            say: Takes lines of progress.
            keep_data: Leave the data for the next `up` in the folder that it was started from.
        """
        if keep_data and self.record is None:
            raise Refused(
                f"the data of {self.run.project} can't be kept",
                observed=f"{self.run.about} does not say whose they are",
                remedy="leave out --keep-data",
            )
        with ProjectLock(self.run, self.request.environment):
            keep = None
            if keep_data and self.record is not None:
                keep = KeptData(self.record.checkout, self.record.origins)
            end_run(self.engine, self.plan, self.run, say, keep=keep)


def recorded_stack(request: StackRequest) -> RecordedStack | None:
    """The run that a command means, found without the files of a project.

    It is the one that `--project` names, else the one that was started from this folder.

    Raises:
        Refused: If several were started from this folder, or somebody else could have made one.
    """
    root = state_root(request.environment)
    if request.project is not None:
        run = RunFolder(root, request.project)
        return _recorded(request, run) if read_run(run.path) is not None else None
    here = Checkout.of(request.root)
    found = [run for run, record in _kept_running(root) if _is_meant(record, request, here)]
    if len(found) > 1:
        names = ", ".join(run.project for run in found)
        raise Refused(
            f"several stacks were started from {here.folder}",
            observed=names,
            remedy="choose one with --project",
        )
    return _recorded(request, found[0]) if found else None


def of_another_checkout(request: StackRequest) -> bool:
    """Whether `--project` names a run that was started from another folder than this one."""
    if request.project is None:
        return False
    record = read_about(RunFolder(state_root(request.environment), request.project))
    return record is not None and not record.checkout.is_same(Checkout.of(request.root))


def going_on(recorded: RecordedStack, error: StackproofError) -> Iterator[str]:
    """Tell that a command goes on without the files, and what is the matter with them."""
    yield f"note: {error.what}"
    yield f"going on with what {recorded.run.project} was started from"


def _kept_running(root: Path) -> Iterator[tuple[RunFolder, RunningRecord]]:
    """The runs that stay until `down`."""
    for state in find_runs(root):
        if state.owner is None and not state.path.name.startswith("."):
            run = RunFolder(root, state.project)
            record = read_about(run)
            if record is not None:
                yield run, record


def _is_meant(record: RunningRecord, request: StackRequest, here: Checkout) -> bool:
    is_stack = request.stack is None or record.stack == request.stack
    return is_stack and record.checkout.is_same(here)


def _recorded(request: StackRequest, run: RunFolder) -> RecordedStack:
    record, state = read_about(run), read_run(run.path)
    if state is None:
        raise NoStack(f"{run.project} is not up")
    in_docker = "compose" if state.docker_host else "process"
    name = record.engine if record is not None else in_docker
    plan = Plan(
        stack=record.stack if record is not None else run.project,
        project=run.project,
        engine=name,
        run_folder=run.path,
        services=tuple(_services(record.services if record is not None else {})),
    )
    engine = make_engine(
        name, run.root, request.environment
    )  # nothing is prepared: no cache is used
    return RecordedStack(request, run, engine, plan, record)


def _services(recorded: Mapping[str, Mapping[str, Any]]) -> Iterator[ServicePlan]:
    for name, service in recorded.items():
        planned = service["plan"]
        yield ServicePlan(
            name,
            argv=(),
            environment={},
            image=str(planned["image"]),
            one_shot=bool(planned["one_shot"]),
            stop_grace=float(planned["stop_grace"]),
        )


def _secrets(details: Iterable[Any]) -> Iterator[str]:
    """The values of variables whose names tell of a secret, as Docker lists them."""
    for service in details:
        for entry in service.get("Config", {}).get("Env") or ():
            name, _, value = str(entry).partition("=")
            if value and tells_a_secret(name):
                yield value
