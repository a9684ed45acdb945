"""The process engine: services as plain local processes below a supervisor, without Docker."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stackproof.engines.base import Copies, Launch, Lease, Say
from stackproof.engines.process.control import Control
from stackproof.engines.process.copies import note_copies, overlays_of, require_copies
from stackproof.engines.process.images import image_of, no_steps
from stackproof.engines.process.listeners import holder_of
from stackproof.engines.process.run_data import (
    DATA,
    can_be_seen,
    copy_out,
    lay_out,
    layers_of,
    never_overlaid,
    note_overlaid,
    overlaid,
    take_back,
)
from stackproof.engines.process.running import ProcessRunning, owner_home
from stackproof.engines.process.snapshot_keeper import ProcessSnapshots
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.allowed import refusal
from stackproof.engines.receipt import Receipt
from stackproof.errors import NoAnswer, NoStack
from stackproof.plan.builds.model import SYSTEM_PATH
from stackproof.plan.model import Plan, ServicePlan
from stackproof.plan.world.model import WorldName
from stackproof.reaper.launch import import_path
from stackproof.reaper.launch import launch as launch_run
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder, state_root
from stackproof.reaper.takedown import ensure_gone

PARALLEL_PREPARATIONS = 4

GONE_SECONDS = 10.0
"""What the reaper gets to remove everything once the services have ended."""


class ProcessEngine:
    """Starts plans as processes.

    Args:
        environment: The caller's environment.
        cache: Where virtualenvs and prepared data folders are kept.
    """

    name = "process"

    def __init__(self, environment: Mapping[str, str], cache: Path) -> None:
        self.environment = environment
        self.cache = cache

    def holder_of(self, port: int) -> str:
        """Who listens on a port of this machine, in words."""
        return holder_of(port)

    def no_copies(self) -> str:
        """Why there is no mount namespace to make copies in; empty where there is."""
        return namespaces_allowed()

    def no_world(self) -> str:
        """Why services can't have a private world here; empty where they can."""
        return refusal(state_root(self.environment))

    def open(self, run: RunFolder, say: Say, copies: Copies | None = None) -> Lease:
        """Start the reaper of a run that is to come; the supervisor follows."""
        overlays: dict[str, object] = {}
        if copies is not None:
            snapshot, holes = copies.snapshot, copies.holes
            earlier = run.kept if snapshot is None else snapshot / DATA
            overlays = overlays_of(copies.plan, run, earlier=earlier, holes=holes)
            for folder in holes if overlays.get("copies") else ():
                folder.mkdir(parents=True, exist_ok=True)
        is_private = copies is not None and copies.plan.world == "private"
        if copies is None or not is_private or copies.snapshot is None or copies.data == "copy":
            return self._launch(run, say, is_private=is_private, overlays=overlays)
        return self._launch_over(copies.snapshot, run, say, overlays, tuple(copies.plan.elsewhere))

    def _launch_over(
        self,
        snapshot: Path,
        run: RunFolder,
        say: Say,
        overlays: Mapping[str, object],
        without: Sequence[str],
    ) -> Lease:
        """Start the reaper of a run whose data lie over those of a snapshot, where that can be."""
        layers = layers_of(snapshot, run, without=without)
        copied = overlays.get("copies")
        more = [*(copied if isinstance(copied, list) else ()), *layers]
        wanted = {**overlays, "copies": more, "held": str(snapshot)}
        lease = self._launch(run, say, is_private=True, overlays=wanted)
        why = [
            *note_overlaid(run, layers, lease.refused),
            *never_overlaid(snapshot, without=without),
        ]
        if not can_be_seen(run):
            why = ["this process can't see what the supervisor has mounted"]
            self.shut_down(run, 0.0, say, disposable=True)
            lease.close()
            lease = self._launch(run, say, is_private=True, overlays=overlays)
        for reason in why:
            say(f"note: the data of the snapshot are copied: {reason}")
        return lease

    def _launch(
        self, run: RunFolder, say: Say, *, is_private: bool, overlays: Mapping[str, object]
    ) -> Lease:
        argv = [sys.executable, "-m", "stackproof.engines.process.supervisor"]
        return launch_run(
            run,
            [*argv, "--run-folder", str(run.path)],
            environment={
                "PATH": SYSTEM_PATH,
                "LANG": "C.UTF-8",
                **import_path(self.environment),
            },
            world=is_private,
            overlays=overlays,
            say=say,
        )

    def try_isolation(self, run: RunFolder, world: WorldName, *, hermetic: bool) -> Receipt:
        """The isolation receipt of a run of one service that does nothing; nothing is left of it.

        Args:
            run: A run that does not exist.
            world: What the service is to see.
            hermetic: Whether it reaches nothing outside the stack.
        """
        from stackproof.engines.process.receipt.trial import take_alone

        def say(_: str) -> None:
            pass

        lease = self._launch(run, say, is_private=world == "private", overlays={})
        with contextlib.closing(lease):
            try:
                return take_alone(run, world, hermetic=hermetic, home=owner_home())
            finally:
                self.shut_down(run, 0.0, say, disposable=True)

    @property
    def snapshots(self) -> ProcessSnapshots:
        """How it keeps snapshots."""
        return ProcessSnapshots(self.cache)

    def start(self, launch: Launch) -> ProcessRunning:
        """Prepare and begin all services of a plan.

        Raises:
            EngineUnavailable: If a server or an interpreter is missing.
            CommandFailed: If a preparation fails.
        """
        plan, run = launch.plan, launch.run
        note_copies(plan, run)
        if launch.snapshot is not None:
            lay_out(launch.snapshot, run, without=plan.elsewhere)
        elif run.kept.is_dir():
            self._refuse_unfit(plan, run.kept)
            launch.say("using the data that were kept")
            take_back(run)
            with contextlib.suppress(OSError):  # others have kept data there too
                run.kept.parent.rmdir()
        control = Control(run)
        for spec in self._prepare(launch, plan.services, control):
            control.start([spec])
        for notice in control.notices():
            launch.say(f"note: {notice}")
        return ProcessRunning(plan, run, control)

    def _refuse_unfit(self, plan: Plan, data: Path) -> None:
        """Refuse data that a server could not read, as long as they lie where they were."""
        from stackproof.engines.process.images.unfit_data import refuse_unfit_data

        for service in plan.services:
            runtime = service.runtime
            if runtime is not None and runtime.kind == "image":
                image = image_of(runtime)
                server = image.locate(runtime, self.cache, no_steps)
                refuse_unfit_data(service.name, image.data_fault(data / service.name, server))

    def replace(
        self, launch: Launch, names: Sequence[str], removed: Sequence[str] = ()
    ) -> ProcessRunning:
        """Start some services of a running stack anew, and remove others.

        Raises:
            Refused: If one would write to a folder that the stack has no copy of.
        """
        plan, run = launch.plan, launch.run
        require_copies(plan, run)
        control = Control(run)
        since = control.last_event()
        services = tuple(service for service in plan.services if service.name in names)
        specs = list(self._prepare(launch, services, control))
        control.replace(specs, removed)
        return ProcessRunning(plan, run, control, since=since)

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:  # noqa: ARG002 - the protocol's
        """Nothing: virtualenvs are made when a service is started, once for each lock."""
        return []

    def keep_data(self, plan: Plan, run: RunFolder) -> bool:
        """Stop all services and put their data aside, where the next start finds them."""
        Control(run).control("stop", [service.name for service in plan.services])
        self.drop_data(run)
        if not run.data.is_dir():
            return False
        make_folders(str(run.kept.parent))
        if overlaid(run):
            copy_out(run, run.kept)
        else:
            run.data.rename(run.kept)
        return True

    def drop_data(self, run: RunFolder) -> bool:
        """Remove data that were kept of an earlier run; tells whether there were any."""
        if not run.kept.is_dir():
            return False
        shutil.rmtree(run.kept)
        for parent in (run.kept.parent, run.root):
            with contextlib.suppress(OSError):  # not empty
                parent.rmdir()
        return True

    def attach(self, plan: Plan, run: RunFolder) -> ProcessRunning:
        """The running copy of a plan.

        Raises:
            NoStack: If there is none.
        """
        control = Control(run)
        try:
            since = control.last_event()
        except NoStack:
            raise NoStack(
                f"{plan.project} is not up",
                remedy=f"start it with `invoke up --stack {plan.stack}`",
            ) from None
        return ProcessRunning(plan, run, control, since=since)

    def shut_down(
        self, run: RunFolder, seconds: float, say: Say, *, disposable: bool = False
    ) -> None:
        """Stop all services in order, or kill the supervisor, which ends all of them at once."""
        state = read_run(run.path)
        if disposable and state is not None and state.supervisor is not None:
            state.supervisor.kill(signal.SIGKILL)
        else:
            try:
                Control(run).shut_down(seconds)
            except NoAnswer as error:
                say(f"{error.what}; ended it by force")
                if state is not None and state.supervisor is not None:
                    state.supervisor.kill(signal.SIGKILL)
        ensure_gone(run, seconds=GONE_SECONDS, forced=GONE_SECONDS)

    def _prepare(
        self, launch: Launch, services: tuple[ServicePlan, ...], control: Control
    ) -> Iterator[ServiceSpec]:
        """Each service when it and those before it in the order of starts are prepared."""
        from stackproof.engines.process.preparation import Preparation

        preparation = Preparation(launch, control, self.environment, self.cache)
        with ThreadPoolExecutor(PARALLEL_PREPARATIONS) as pool:
            ready = pool.map(preparation.spec, services)
            preparation.wait_for_supervisor()
            preparation.borrow()
            yield from ready
