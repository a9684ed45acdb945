"""The compose engine: Docker Compose makes the containers, the Docker Engine runs them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from docker import DockerClient

from stackproof.engines.base import Say
from stackproof.engines.compose import relay
from stackproof.engines.compose.addresses import refuse_without_addresses
from stackproof.engines.compose.command_line import CommandLine
from stackproof.engines.compose.connection import (
    address,
    connect,
    docker_environment,
    require_compose,
)
from stackproof.engines.compose.containers import Containers
from stackproof.engines.compose.copies import why_not_here
from stackproof.engines.compose.failures import is_there, no_image
from stackproof.engines.compose.labels import labels_of
from stackproof.engines.compose.preparing import Preparing
from stackproof.engines.compose.running import ComposeRunning
from stackproof.engines.compose.sharing import join_networks
from stackproof.engines.compose.snapshot_images import SnapshotImages
from stackproof.engines.compose.snapshot_keeper import ComposeSnapshots
from stackproof.engines.compose.supervisor import AT_ONCE
from stackproof.engines.compose.takedown import KEEP_DATA, containers_of, volumes_of
from stackproof.errors import CommandFailed, EngineUnavailable, NoStack, Refused, TeardownIncomplete
from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.launch import Lease, launch, take_down, wait_gone
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.ownership import write_file
from stackproof.reaper.run_folder import RunFolder

GONE_SECONDS = 20.0
"""What the reaper gets to remove everything once the containers have been stopped."""


class ComposeEngine:
    """Starts plans as containers.

    Args:
        environment: The caller's environment.
    """

    name = "compose"

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def no_copies(self) -> str:
        """Why the Docker Engine can't copy folders of this machine; empty where it can."""
        try:
            return why_not_here(connect(self.environment))
        except EngineUnavailable as error:
            return error.what

    def open(
        self,
        run: RunFolder,
        plan: Plan | None = None,  # noqa: ARG002 - copies are made when the containers are
        *,
        snapshot: Path | None = None,  # noqa: ARG002 - as above
        holes: tuple[Path, ...] = (),  # noqa: ARG002 - as above
    ) -> Lease:
        """Start the reaper and the supervisor of a run that is to come.

        Raises:
            EngineUnavailable: If there is no Docker Engine, or no Compose.
            Refused: If somebody else's containers have the project's name.
        """
        require_compose(self.environment)
        client = connect(self.environment)
        _refuse_strangers(client, run.project)
        module = "stackproof.engines.compose.supervisor"
        return launch(
            run,
            [sys.executable, "-m", module, "--run-folder", str(run.path)],
            environment={**docker_environment(self.environment), "LANG": "C.UTF-8"},
            private=False,
            docker_host=address(self.environment),
        )

    @property
    def snapshots(self) -> ComposeSnapshots:
        """How it keeps snapshots."""
        return ComposeSnapshots(self.environment)

    def start(
        self,
        plan: Plan,
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,  # noqa: ARG002 - containers have their own files
        snapshot: Path | None = None,
    ) -> ComposeRunning:
        """Make all containers of a plan, building images that are missing; none runs yet.

        Args:
            plan: The plan.
            run: Its run folder, which has been opened.
            say: Takes lines of progress.
            lent: Not used: containers have their own files.
            snapshot: Folder of a snapshot to start from; None for empty data.

        Raises:
            ConfigError: If Compose refuses the stack file.
            CommandFailed: If an image can't be built or fetched, or a container can't be made.
            EngineUnavailable: If the Docker Engine has no addresses or no disk space left.
        """
        kept = SnapshotImages.read(snapshot) if snapshot is not None else None
        if kept is not None:
            kept.write(run.path)
        running = self._attached(plan, run)
        self._create(plan, run, plan.services, running, say, ["--no-recreate"])
        if plan.elsewhere:
            resolved = self._command_line(plan, run).resolve(plan.source)
            join_networks(running.containers.client, plan, resolved)
        return running

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:
        """Build the images of a plan that are missing.

        Args:
            plan: The plan.
            run: A run folder that has been opened.
            say: Takes lines of progress.
            again: Also those that are there.

        Returns:
            The images that were built.
        """
        client = connect(self.environment)
        wanted = _to_build(client, plan.services, again=again)
        if wanted:
            say(f"building {', '.join(sorted(wanted))}")
            options = ["--no-cache"] if again else []
            preparing = self._preparing(plan, run, client)
            preparing.write_model(plan)
            compose = preparing.compose  # it alone has the values that the model leaves out
            compose.run(["build", *options, *wanted.values()], say)
        return sorted(wanted)

    def keep_data(self, plan: Plan, run: RunFolder) -> None:  # noqa: ARG002 - the protocol's
        """Tell the supervisor to leave the named volumes; the next start uses them again."""
        (run.path / KEEP_DATA).touch(mode=0o600)

    def drop_data(self, run: RunFolder) -> bool:
        """Remove volumes that were kept of an earlier run; tells whether there were any."""
        client = connect(self.environment)
        found = volumes_of(client, run.project, run.root)
        for name in found:
            client.api.remove_volume(name)
        return bool(found)

    def replace(
        self,
        plan: Plan,
        names: list[str],
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,  # noqa: ARG002 - containers have their own files
    ) -> ComposeRunning:
        """Make the containers of some services anew, as the plan has them now, and start them."""
        running = self._attached(plan, run)
        there = running.containers.ids()
        running.stop([name for name in names if name in there])
        services = tuple(one for one in plan.services if one.name in names)
        self._create(plan, run, services, running, say, ["--force-recreate"])
        return running

    def attach(self, plan: Plan, run: RunFolder) -> ComposeRunning:
        """The running copy of a plan.

        Raises:
            NoStack: If there is none.
        """
        state = read_run(run.path)
        if state is None or not state.is_alive:
            raise NoStack(
                f"{plan.project} is not up",
                remedy=f"start it with `invoke up --stack {plan.stack}`",
            )
        return self._attached(plan, run)

    def shut_down(
        self, run: RunFolder, seconds: float, say: Say, *, disposable: bool = False
    ) -> None:
        """Stop all services in order and remove everything that the run has made.

        Args:
            run: The run.
            seconds: What the services get to end in an orderly way.
            say: Takes a line where the supervisor has to be ended by force.
            disposable: Remove the containers as they run.

        Raises:
            EngineUnavailable: If the Docker Engine does not answer; nothing was done then.
            TeardownIncomplete: If something is left.
        """
        state = read_run(run.path)
        if state is None:
            return
        client = connect(self.environment)  # before anybody is told to do what can't be done
        supervisor = state.supervisor
        if supervisor is not None and supervisor.is_stopped():
            say(f"the supervisor of {run.project} is stopped (state T); ended it by force")
            supervisor.kill(signal.SIGKILL)
        elif supervisor is not None:
            supervisor.kill(AT_ONCE if disposable else signal.SIGTERM)
        if not wait_gone(run, seconds=seconds + GONE_SECONDS):
            take_down(run, seconds=GONE_SECONDS)
        left = containers_of(client, state.run_id)
        if left:
            raise TeardownIncomplete([f"container {one['Names'][0][1:]}" for one in left])

    def _attached(self, plan: Plan, run: RunFolder) -> ComposeRunning:
        client = connect(self.environment)
        return ComposeRunning(plan, run, client, _run_id(run), self.environment)

    def _preparing(self, plan: Plan, run: RunFolder, client: DockerClient) -> Preparing:
        labels = labels_of(
            run_id=_run_id(run), project=plan.project, stack=plan.stack, root=run.root
        )
        return Preparing(client, self._command_line(plan, run), labels)

    def _command_line(self, plan: Plan, run: RunFolder) -> CommandLine:
        return CommandLine(self.environment, _run_id(run), run.path, plan.project, plan.secrets)

    def _create(
        self,
        plan: Plan,
        run: RunFolder,
        services: Sequence[ServicePlan],
        running: ComposeRunning,
        say: Say,
        options: Sequence[str],
    ) -> None:
        client = running.containers.client
        preparing = self._preparing(plan, run, client)
        model = preparing.make(plan, say)
        compose = preparing.compose  # it alone has the values that the model leaves out
        refuse_without_addresses(client, model)
        missing = _to_build(client, services, again=False)
        if missing:
            say(f"building {', '.join(sorted(missing))}")
            compose.run(["build", *missing.values()], say)
        names = [one.name for one in services]
        try:
            compose.run(["create", "--no-build", *options, *names], _only_pulls(say))
        except CommandFailed as error:
            raise no_image(client, services, error) or error from None
        if plan.hermetic:
            _write_relays(plan, run, running.containers)


def _run_id(run: RunFolder) -> str:
    state = read_run(run.path)
    return state.run_id if state is not None else ""


def _only_pulls(say: Say) -> Say:
    """Passes on what takes long; that containers are made needs no words."""
    return lambda line: say(line.strip()) if "Pull" in line else None


def _to_build(
    client: DockerClient, services: Sequence[ServicePlan], *, again: bool
) -> dict[str, str]:
    """Image to one of the services that build it, for each image that is not there."""
    wanted = {one.image: one.name for one in services if one.builds}
    return {image: name for image, name in wanted.items() if again or not is_there(client, image)}


def _refuse_strangers(client: DockerClient, project: str) -> None:
    filters = {"label": [f"com.docker.compose.project={project}"]}
    found = client.api.containers(all=True, filters=filters)
    if found:
        names = ", ".join(one["Names"][0][1:] for one in found)
        raise Refused(
            f"Docker has containers of another project that is called {project}",
            observed=names,
            remedy="give this copy another name (STACKPROOF_PROJECT), or remove those: "
            f"`docker compose --project-name {project} down`",
        )


def _write_relays(plan: Plan, run: RunFolder, containers: Containers) -> None:
    ids = containers.ids()
    listed = [
        [endpoint.port, ids[service.name], endpoint.target]
        for service in plan.services
        for endpoint in service.endpoints
        if service.name in ids
    ]
    write_file(str(run.path), relay.FILE, json.dumps(listed).encode())
    state = read_run(run.path)
    if state is not None and state.supervisor is not None:
        state.supervisor.kill(signal.SIGHUP)
