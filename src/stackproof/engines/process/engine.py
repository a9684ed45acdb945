"""The process engine: services as plain local processes below a supervisor, without Docker."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from stackproof.engines.base import Say
from stackproof.engines.cache import reachable_by_others
from stackproof.engines.process.control import Control
from stackproof.engines.process.copies import note_copies, overlays_of, require_copies
from stackproof.engines.process.environments import ensure_environment, script_folder
from stackproof.engines.process.images import Step, native_image
from stackproof.engines.process.running import ProcessRunning
from stackproof.engines.process.snapshot_keeper import DATA, ProcessSnapshots, lay_out, take_back
from stackproof.engines.process.spec import ServiceSpec
from stackproof.errors import CommandFailed, EngineUnavailable, NoAnswer, NoStack
from stackproof.plan.model import Plan, Runtime, ServicePlan
from stackproof.reaper.launch import Lease, launch, take_down, wait_gone
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.namespace import namespaces_allowed
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

PASSED_ON = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "STACKPROOF_CACHE_DIR")
"""The only variables of the caller that services see: whom this machine trusts."""

TOOLS_ENVIRONMENT = ("HOME", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_CACHE_DIR", "PIP_INDEX_URL")
"""Further variables of the caller for the tools that prepare a start, such as uv."""

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

    def no_copies(self) -> str:
        """Why there is no mount namespace to make copies in; empty where there is."""
        return namespaces_allowed()

    def open(
        self,
        run: RunFolder,
        plan: Plan | None = None,
        *,
        snapshot: Path | None = None,
        holes: tuple[Path, ...] = (),
    ) -> Lease:
        """Start the reaper of a run that is to come; the supervisor follows."""
        earlier = run.kept if snapshot is None else snapshot / DATA
        overlays = overlays_of(plan, run, earlier=earlier, holes=holes) if plan else {}
        for folder in holes if overlays.get("copies") else ():
            folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "stackproof.engines.process.supervisor"]
        return launch(
            run,
            [*argv, "--run-folder", str(run.path)],
            environment={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"},
            overlays=overlays,
        )

    @property
    def snapshots(self) -> ProcessSnapshots:
        """How it keeps snapshots."""
        return ProcessSnapshots()

    def start(
        self,
        plan: Plan,
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
        snapshot: Path | None = None,
    ) -> ProcessRunning:
        """Prepare and begin all services of a plan.

        Args:
            plan: The plan.
            run: Its run folder, which has been opened.
            say: Takes lines of progress.
            lent: Variables that every service of a Python project gets; PYTHONPATH goes in front.
            snapshot: Folder of a snapshot to start from; None for empty data.

        Raises:
            EngineUnavailable: If a server or an interpreter is missing.
            CommandFailed: If a preparation fails.
        """
        note_copies(plan, run)
        if snapshot is not None:
            lay_out(snapshot, run, without=plan.elsewhere)
        elif run.kept.is_dir():
            say("going on with the data that were kept")
            take_back(run)
            with contextlib.suppress(OSError):  # others have kept data there too
                run.kept.parent.rmdir()
        control = Control(run)
        for spec in self._prepare(plan, plan.services, run, control, say, lent or {}):
            control.start([spec])
        for notice in control.notices():
            say(f"note: {notice}")
        return ProcessRunning(plan, run, control)

    def replace(
        self,
        plan: Plan,
        names: list[str],
        run: RunFolder,
        say: Say,
        *,
        lent: Mapping[str, str] | None = None,
    ) -> ProcessRunning:
        """Start some services of a running stack anew, as the plan has them now.

        Raises:
            Refused: If one would write to a folder that the stack has no copy of.
        """
        require_copies(plan, run)
        control = Control(run)
        services = tuple(one for one in plan.services if one.name in names)
        specs = list(self._prepare(plan, services, run, control, say, lent or {}))
        control.start(specs, replace=True)
        return ProcessRunning(plan, run, control)

    def build(self, plan: Plan, run: RunFolder, say: Say, *, again: bool = False) -> list[str]:  # noqa: ARG002 - the protocol's
        """Nothing: virtualenvs are made when a service is started, once for each lock."""
        return []

    def keep_data(self, plan: Plan, run: RunFolder) -> None:
        """Stop all services and put their data aside, where the next start finds them."""
        Control(run).stop([one.name for one in plan.services])
        self.drop_data(run)
        if run.data.is_dir():
            make_folders(str(run.kept.parent))
            run.data.rename(run.kept)

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
            control.status()
        except NoStack:
            raise NoStack(
                f"{plan.project} is not up",
                remedy=f"start it with `invoke up --stack {plan.stack}`",
            ) from None
        return ProcessRunning(plan, run, control)

    def shut_down(
        self, run: RunFolder, seconds: float, say: Say, *, disposable: bool = False
    ) -> None:
        """Stop all services in order and remove everything that the run has made.

        Args:
            run: The run.
            seconds: What the services get to end in an orderly way.
            say: Takes a line where the supervisor has to be ended by force.
            disposable: Kill the supervisor, which ends all of them at once.

        Raises:
            TeardownIncomplete: If something is left.
        """
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
        if not wait_gone(run, seconds=GONE_SECONDS):
            take_down(run, seconds=GONE_SECONDS)

    def _prepare(
        self,
        plan: Plan,
        services: tuple[ServicePlan, ...],
        run: RunFolder,
        control: Control,
        say: Say,
        lent: Mapping[str, str],
    ) -> Iterator[ServiceSpec]:
        """Each service when it and those before it in the order of starts are prepared."""
        preparation = _Preparation(self, plan, run, control, say, lent)
        with ThreadPoolExecutor(PARALLEL_PREPARATIONS) as pool:
            ready = pool.map(preparation.spec, services)
            preparation.wait_for_supervisor()
            yield from ready


class _Preparation:
    """Makes what one start needs: folders, virtualenvs, data folders, specs."""

    def __init__(
        self,
        engine: ProcessEngine,
        plan: Plan,
        run: RunFolder,
        control: Control,
        say: Say,
        lent: Mapping[str, str],
    ) -> None:
        self.engine = engine
        self.plan = plan
        self.run = run
        self.control = control
        self.say = say
        self.lent = lent
        self._lock = threading.Lock()
        self._supervised = False

    def wait_for_supervisor(self) -> None:
        """Wait until the supervisor runs and knows the secrets; preparations begin before that."""
        with self._lock:
            if not self._supervised:
                self.control.wait_for_supervisor()
                self.control.configure(self.plan.secrets)
                self._supervised = True

    def step(self, step: Step) -> None:
        """Run a preparation under the supervisor, so that a killed owner leaves nothing."""
        self.wait_for_supervisor()
        self.say(f"preparing: {step.name}")
        caller = self.engine.environment
        tools = {name: caller[name] for name in (*PASSED_ON, *TOOLS_ENVIRONMENT) if name in caller}
        done = self.control.run(
            f"prepare-{step.name.replace(' ', '-').replace('/', '-')}",
            step.argv,
            env={"PATH": SYSTEM_PATH, "LANG": "C.UTF-8", **tools, **step.env},
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
        if runtime.kind == "image":
            return self._image_spec(service, runtime)
        return self._project_spec(service, runtime)

    def _image_spec(self, service: ServicePlan, runtime: Runtime) -> ServiceSpec:
        image = native_image(runtime.image)
        server = image.locate(runtime, self.engine.cache, self.step)
        self.say(f"{service.name}: {server.description}")
        ready = image.prepare(service, server, self.run, self.engine.cache, self.step)
        if ready.uid is not None and not reachable_by_others(self.run.data):
            raise EngineUnavailable(
                f"{service.name} can't reach its data folder: it does not run as root",
                checked=[f"{self.run.data}, which only its owner can pass through"],
                remedy="set STACKPROOF_STATE_DIR to a folder that others can pass through",
            )
        own = self._own_folders(service, ready.uid)
        environment = {
            **own,
            "PATH": f"{server.bindir}:{SYSTEM_PATH}",
            **service.environment,
            **ready.env,
        }
        for notice in ready.notices:
            self.say(f"note: {service.name}: {notice}")
        spec = self._spec(service, ready.argv, environment, str(ready.cwd), ready.uid)
        return replace(spec, socket=str(ready.socket or ""))

    def _project_spec(self, service: ServicePlan, runtime: Runtime) -> ServiceSpec:
        own = self._own_folders(service, None)
        if runtime.own_environment:
            folders, virtualenv = [Path(sys.executable).parent], Path(sys.prefix)
        else:
            made = ensure_environment(runtime, self.engine.cache, self.step)
            scripts = script_folder(runtime, made, self.engine.cache)
            folders = [*([scripts] if scripts else []), made.bin]
            virtualenv = made.path
        search = ":".join([*map(str, folders), SYSTEM_PATH])
        imported = [self.lent.get("PYTHONPATH", ""), *map(str, runtime.source_roots)]
        environment = {
            **own,
            **self.lent,
            "PATH": search,
            "VIRTUAL_ENV": str(virtualenv),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **service.environment,
        }
        imported.append(service.environment.get("PYTHONPATH", ""))
        environment["PYTHONPATH"] = ":".join(filter(None, dict.fromkeys(imported)))
        argv = _absolute(service.argv, search)
        cwd = service.working_dir or runtime.project or self.run.path
        return self._spec(service, argv, environment, str(cwd), None)

    def _own_folders(self, service: ServicePlan, uid: int | None) -> dict[str, str]:
        known = {target: path for path, target in service.folders.items()}
        home = self.run.home(service.name)
        temporary = known.get("/tmp", self.run.tmp(service.name))  # noqa: S108 - in the container
        for folder in (home, temporary):
            make_folders(str(folder))
            if uid is not None:
                os.chown(folder, uid, uid)
        caller = self.engine.environment
        return {
            **{name: caller[name] for name in PASSED_ON if name in caller},
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
        names = {one.name for one in self.plan.services}
        return ServiceSpec(
            name=service.name,
            argv=argv,
            env=environment,
            cwd=cwd,
            depends_on={key: str(one) for key, one in service.depends_on.items() if key in names},
            probe=service.probe,
            timing=service.timing,
            restart=service.restart.policy,
            max_retries=service.restart.max_retries,
            stop_signal=service.stop_signal,
            stop_grace=service.stop_grace,
            one_shot=service.one_shot,
            uid=uid,
            ports=tuple(one.port for one in service.endpoints),
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
