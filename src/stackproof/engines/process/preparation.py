"""Prepares the services of a plan: their folders, programs and environments, as specs."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stackproof.engines.base import Command, Launch
from stackproof.engines.cache import reachable_by_others
from stackproof.engines.process.builds.furniture import built_furniture, with_built_files
from stackproof.engines.process.control import Control
from stackproof.engines.process.fork_server.forker import forker
from stackproof.engines.process.granting import write_granted
from stackproof.engines.process.images import Step, image_of
from stackproof.engines.process.passed_on import PASSED_ON, TOOLS_ENVIRONMENT
from stackproof.engines.process.python.readable import make_readable
from stackproof.engines.process.python.surroundings import surroundings
from stackproof.engines.process.spec import ServiceSpec
from stackproof.engines.process.world.furnishing import Furniture, of_python, of_server, room_of
from stackproof.engines.process.world.program import cut_short
from stackproof.engines.process.world.spec import inside
from stackproof.errors import CommandFailed, EngineUnavailable
from stackproof.plan.builds.model import SYSTEM_PATH
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.plan.world.host_ports import host_ports
from stackproof.plan.world.model import ROOT, Account, World
from stackproof.reaper.launch import import_path
from stackproof.reaper.ownership import make_folders

NOBODY = 65534


class Preparation:
    """Makes what one start needs: folders, virtualenvs, data folders, specs.

    Args:
        launch: What is started.
        control: Its supervisor.
        environment: The caller's environment.
        cache: Where virtualenvs and prepared data folders are kept.
    """

    def __init__(
        self, launch: Launch, control: Control, environment: Mapping[str, str], cache: Path
    ) -> None:
        self.environment = environment
        self.cache = cache
        self.plan = launch.plan
        self.run = launch.run
        self.control = control
        self.say = launch.say
        self.extra_env = launch.extra_env
        self._forked = forker(launch, cache)
        self._lock = threading.Lock()
        self._supervised = False

    def wait_for_supervisor(self) -> None:
        """Wait until the supervisor runs and knows the secrets; preparations begin before that."""
        with self._lock:
            if not self._supervised:
                self.control.wait_for_supervisor(self.say)
                self.control.configure(
                    self.plan.secrets,
                    hermetic=self.plan.hermetic,
                    host_ports=host_ports(self.plan),
                )
                self._supervised = True

    def borrow(self) -> None:
        """Lead to the servers of other runs, in a private world; again changes nothing."""
        for service in self.plan.borrowed:
            if service.world is not None:
                room = room_of(service, service.world, self.run, Furniture(), service.world.user)
                ports = {endpoint.target: endpoint.port for endpoint in service.endpoints}
                self.control.borrow(service.name, room, ports)

    def step(self, step: Step) -> None:
        """Run a preparation under the supervisor, so that a killed owner leaves nothing."""
        self.wait_for_supervisor()
        self.say(f"preparing: {step.name}")
        caller = self.environment
        tools = {name: caller[name] for name in (*PASSED_ON, *TOOLS_ENVIRONMENT) if name in caller}
        done = self.control.run(
            f"prepare-{step.name.replace(' ', '-').replace('/', '-')}",
            Command(step.argv, {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **tools, **step.env}),
            cwd=str(step.cwd or self.run.path),
            uid=step.uid,
            stdin=step.stdin,
        )
        if done.exit_code:
            raise CommandFailed(
                f"preparing {step.name} failed with status {done.exit_code}",
                exit_code=done.exit_code,
                output=done.stdout[-2000:],
                remedy="`invoke doctor` checks what this machine needs",
            )

    def spec(self, service: ServicePlan) -> ServiceSpec:
        """Everything that the supervisor has to know of a service."""
        runtime = service.runtime
        if runtime is None:
            raise AssertionError(f"{service.name} was planned for another engine")
        for folder in service.folders:
            make_folders(str(folder))
            if service.world is not None:
                folder.chmod(0o755)  # as a new volume is; nobody else passes through the run's own
        write_granted(service, self.run)
        if runtime.kind == "image":
            return self._image_spec(service, runtime)
        world = service.world
        if runtime.recipe is None or world is None:
            return self._project_spec(service, runtime)
        image = built_furniture(
            service.name,
            runtime.recipe,
            self.run,
            self.cache,
            self.step,
            self.environment,
            self.say,
        )
        if runtime.kind == "build":
            return self._build_spec(service, world, image)
        world = with_built_files(service, world, image)
        return self._project_spec(replace(service, world=world), runtime)

    def _image_spec(self, service: ServicePlan, runtime: Runtime) -> ServiceSpec:
        image = image_of(runtime)
        server = image.locate(runtime, self.cache, self.step)
        self.say(f"{service.name}: {server.description}")
        ready = image.prepare(service, server, self.run, self.cache, self.step)
        if ready.uid is not None and not reachable_by_others(self.run.data):
            raise EngineUnavailable(
                f"{service.name} can't reach its data folder: it does not run as root",
                checked=[f"{self.run.data}, which only its owner can pass through"],
                remedy="set STACKPROOF_STATE_DIR to a folder that others can pass through",
            )
        own = self._own_folders(service, ready.uid)
        made = (self.run.data / service.name, self.run.server(service.name))
        furniture = Furniture(
            tuple(of_server(server.bindir, ready.argv, ready.env, self.run)),
            tuple(path for path in made if path.is_dir()),
            {ROOT.home: self.run.home(service.name), **ready.seen},
            ready.image_files,
            ready.users,
        )
        environment = {
            **own,
            "PATH": f"{server.bindir}:{SYSTEM_PATH}",
            **service.environment,
            **ready.env,
        }
        for notice in ready.notices:
            self.say(f"note: {service.name}: {notice}")
        spec = self._spec(service, ready.argv, environment, str(ready.cwd), ready.uid)
        spec = replace(spec, socket=str(ready.socket or ""))
        if service.world is None:
            return spec
        number = NOBODY if ready.uid is None else ready.uid  # servers refuse to run as root
        of_server_itself = Account(number, number, runtime.image, ROOT.home)
        user = service.world.user if ready.is_of_image else of_server_itself
        argv = tuple(inside(self.run.path, word) for word in spec.argv)
        env = {name: inside(self.run.path, value) for name, value in spec.env.items()}
        spec = replace(spec, argv=argv, env=env, cwd=inside(self.run.path, spec.cwd))
        return self._in_room(service, service.world, spec, furniture, user)

    def _project_spec(self, service: ServicePlan, runtime: Runtime) -> ServiceSpec:
        own, extra = self._own_folders(service, None), self.extra_env.get(service.name, {})
        around = surroundings(service.name, runtime, self.run, self.cache, self.step)
        for notice in around.notices:
            self.say(f"note: {service.name}: {notice}")
        search = ":".join([*map(str, around.programs), SYSTEM_PATH])
        seen = service.world.seen_at if service.world is not None else str
        roots = [seen(root) or str(root) for root in around.imported]
        imported = [extra.get("PYTHONPATH", ""), *roots]
        caller = import_path(self.environment) if runtime.own_environment else {}
        environment = {
            **own,
            **extra,
            "PATH": search,
            "VIRTUAL_ENV": str(around.virtualenv),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **service.environment,
        }
        imported += [service.environment.get("PYTHONPATH", ""), caller.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = ":".join(filter(None, dict.fromkeys(imported)))
        argv = _absolute(service.argv, search)
        at_home = service.working_dir or runtime.project or self.run.path
        cwd = service.world.working_dir if service.world is not None else at_home
        spec = self._spec(service, argv, environment, str(cwd), None)
        if service.world is None:
            return spec
        if service.world.user.uid and os.geteuid() == 0:
            make_readable(around.virtualenv)
        from_caller = caller.get("PYTHONPATH", "")
        furniture = of_python(around, service.world, extra, from_caller)
        spec = self._in_room(service, service.world, spec, furniture, service.world.user)
        return self._forked(spec, around.virtualenv)

    def _build_spec(self, service: ServicePlan, world: World, image: Furniture) -> ServiceSpec:
        own = {**self._own_folders(service, None), "PATH": SYSTEM_PATH}
        environment = {**own, **service.environment}
        spec = self._spec(service, service.argv, environment, world.working_dir, None)
        return self._in_room(service, world, spec, image, world.user)

    def _in_room(
        self,
        service: ServicePlan,
        world: World,
        spec: ServiceSpec,
        furniture: Furniture,
        user: Account,
    ) -> ServiceSpec:
        room = room_of(service, world, self.run, furniture, user)
        for notice in cut_short(room.limits):
            self.say(f"note: {service.name}: {notice}")
        joined = dict.fromkeys(filter(None, (room.joins,)), "service_started")
        environment = {"HOME": room.home, **spec.env}
        return replace(
            spec,
            room=room,
            env=environment,
            depends_on={**joined, **spec.depends_on},
            tmpfs={},
            uid=None,
        )

    def _own_folders(self, service: ServicePlan, uid: int | None) -> dict[str, str]:
        known = {target: path for path, target in service.folders.items()}
        home = self.run.home(service.name)
        temporary = known.get("/tmp", self.run.tmp(service.name))  # noqa: S108 - in the container
        for folder in (home, temporary):
            make_folders(str(folder))
            if uid is not None:
                os.chown(folder, uid, uid)
        caller = self.environment
        passed_on = {name: caller[name] for name in PASSED_ON if name in caller}
        if service.world is not None:
            return {**passed_on, "LANG": "C.UTF-8", "HOSTNAME": service.world.hostname}
        return {
            **passed_on,
            "HOME": str(home),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "STACKPROOF_SERVICE": f"{self.plan.project}/{service.name}",
        }

    def _spec(
        self,
        service: ServicePlan,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        cwd: str,
        uid: int | None,
    ) -> ServiceSpec:
        names = {other.name for other in self.plan.services}
        return ServiceSpec(
            name=service.name,
            argv=argv,
            env=environment,
            cwd=cwd,
            depends_on={
                name: str(condition)
                for name, condition in service.depends_on.items()
                if name in names
            },
            probe=service.probe,
            timing=service.timing,
            restart=service.restart.policy,
            max_retries=service.restart.max_retries,
            stop_signal=service.stop_signal,
            stop_grace=service.stop_grace,
            one_shot=service.one_shot,
            uid=uid,
            ports=tuple(endpoint.port for endpoint in service.endpoints),
            container_ports=tuple(endpoint.target for endpoint in service.endpoints),
            cpus=service.limits.cpus,
            memory=service.limits.memory,
            pids=service.limits.pids,
            tmpfs={
                str(path): service.sizes[target]
                for path, target in service.folders.items()
                if target in service.sizes
            },
        )


def _absolute(argv: tuple[str, ...], search: str) -> tuple[str, ...]:
    """The command with its program's absolute path, found as the service would find it."""
    found = shutil.which(argv[0], path=search)
    return (found or argv[0], *argv[1:])
