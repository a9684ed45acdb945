"""The compose engine: Docker Compose makes the containers, the Docker Engine runs them."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence

from docker import DockerClient

from stackproof.engines.base import Copies, Launch, Lease, Say
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
from stackproof.engines.compose.failures import holder, is_there, no_image
from stackproof.engines.compose.granting import grant
from stackproof.engines.compose.labels import labels_of
from stackproof.engines.compose.networks import new_ranges, refuse_taken_ranges
from stackproof.engines.compose.preparing import Preparing
from stackproof.engines.compose.running import ComposeRunning
from stackproof.engines.compose.sharing import join_networks
from stackproof.engines.compose.snapshot_images import SnapshotImages
from stackproof.engines.compose.snapshot_keeper import ComposeSnapshots
from stackproof.engines.compose.supervisor import AT_ONCE
from stackproof.engines.compose.takedown import KEEP_DATA, containers_of, volumes_of
from stackproof.errors import CommandFailed, EngineUnavailable, NoStack, Refused, TeardownIncomplete
from stackproof.plan.model import Plan, ServicePlan
from stackproof.reaper.launch import import_path
from stackproof.reaper.launch import launch as launch_run
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.ownership import write_file
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import ensure_gone

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

    def holder_of(self, port: int) -> str:
        """Who listens on a port of this machine, in words."""
        return holder(connect(self.environment), port)

    def no_copies(self) -> str:
        """Why the Docker Engine can't copy folders of this machine; empty where it can."""
        try:
            return why_not_here(connect(self.environment))
        except EngineUnavailable as error:
            return error.what

    def open(
        self,
        run: RunFolder,
        say: Say,
        copies: Copies | None = None,  # noqa: ARG002 - they are made when the containers are
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
        return launch_run(
            run,
            [sys.executable, "-m", module, "--run-folder", str(run.path)],
            environment={
                **docker_environment(self.environment),
                "LANG": "C.UTF-8",
                **import_path(self.environment),
            },
            private=False,
            docker_host=address(self.environment),
            say=say,
        )

    @property
    def snapshots(self) -> ComposeSnapshots:
        """How it keeps snapshots."""
        return ComposeSnapshots(self.environment)

    def start(self, launch: Launch) -> ComposeRunning:
        """Make all containers of a plan, building images that are missing; none runs yet.

        Raises:
            ConfigError: If Compose refuses the stack file.
            CommandFailed: If an image can't be built or fetched, or a container can't be made.
            EngineUnavailable: If the Docker Engine has no addresses or no disk space left.
        """
        plan, run = launch.plan, launch.run
        kept = SnapshotImages.read(launch.snapshot) if launch.snapshot is not None else None
        if kept is not None:
            kept.write(run.path)
        running = self._attached(plan, run)
        compose = self._prepare(launch, plan.services)
        self._create(launch, compose, running, plan.services, "--no-recreate")
        if plan.elsewhere:
            resolved = self._command_line(plan, run).resolve(plan)
            join_networks(running.containers.client, plan, resolved)
        return running

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:
        """Build the images of a plan that are missing (`again`: all), and name them."""
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

    def keep_data(self, plan: Plan, run: RunFolder) -> bool:  # noqa: ARG002 - the protocol's
        """Tell the supervisor to leave the named volumes; the next start uses them again."""
        (run.path / KEEP_DATA).touch(mode=0o600)
        return bool(volumes_of(connect(self.environment), run.project, run.root))

    def drop_data(self, run: RunFolder) -> bool:
        """Remove volumes that were kept of an earlier run; tells whether there were any."""
        client = connect(self.environment)
        found = volumes_of(client, run.project, run.root)
        for name in found:
            client.api.remove_volume(name)
        return bool(found)

    def replace(
        self, launch: Launch, names: Sequence[str], removed: Sequence[str] = ()
    ) -> ComposeRunning:
        """Make the containers of some services anew, and remove those of others."""
        running = self._attached(launch.plan, launch.run)
        there = running.containers.ids()
        gone = [name for name in removed if name in there]
        stopped = [name for name in there if name in names or name in gone]
        services = tuple(service for service in launch.plan.services if service.name in names)
        compose = self._prepare(launch, services)  # while the old ones run
        if stopped:
            launch.say(f"stopping {', '.join(stopped)}")
        running.control("stop", stopped)
        running.keep_logs(stopped)
        for name in gone:
            running.api.remove_container(there[name], v=True)
        if services:  # no name would stand for all of them
            self._create(launch, compose, running, services, "--force-recreate")
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
        """Stop all services in order (disposable: as they run), and remove all that is there.

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
        ensure_gone(run, seconds=seconds + GONE_SECONDS, forced=GONE_SECONDS)
        left = containers_of(client, state.run_id)
        if left:
            raise TeardownIncomplete([f"container {found['Names'][0][1:]}" for found in left])

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

    def _prepare(self, launch: Launch, services: Sequence[ServicePlan]) -> CommandLine:
        """What containers need before they are made: the model, free addresses and images."""
        client = connect(self.environment)
        preparing = self._preparing(launch.plan, launch.run, client)
        model = preparing.make(launch.plan, launch.say)
        there = client.api.networks()
        refuse_taken_ranges(there, model["networks"])
        for line in new_ranges(there, preparing.resolved, model["networks"]):
            launch.say(f"note: {line}")
        refuse_without_addresses(client, model)
        missing = _to_build(client, services, again=False)
        if missing:
            launch.say(f"building {', '.join(sorted(missing))}")
            preparing.compose.run(["build", *missing.values()], launch.say)
        return preparing.compose

    def _create(
        self,
        launch: Launch,
        compose: CommandLine,
        running: ComposeRunning,
        services: Sequence[ServicePlan],
        option: str,
    ) -> None:
        names = [service.name for service in services]
        try:
            compose.run(["create", "--no-build", option, *names], _only_pulls(launch.say))
        except CommandFailed as error:
            raise no_image(running.containers.client, services, error) or error from None
        grant(running.containers.client, running.containers.ids(), services)
        if launch.plan.hermetic:
            _write_relays(launch.plan, launch.run, running.containers)


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
    wanted = {service.image: service.name for service in services if service.builds}
    return {image: name for image, name in wanted.items() if again or not is_there(client, image)}


def _refuse_strangers(client: DockerClient, project: str) -> None:
    filters = {"label": [f"com.docker.compose.project={project}"]}
    found = client.api.containers(all=True, filters=filters)
    if found:
        names = ", ".join(container["Names"][0][1:] for container in found)
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
