"""Runs `rabbitmq` images natively, with the variables and files that the official image takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stackproof.engines.process.images.credentials import secret_value
from stackproof.engines.process.images.model import Launch, Runner, Server
from stackproof.engines.process.images.rabbitmq_command import enabled_by_command
from stackproof.engines.process.images.rabbitmq_config import (
    DISTRIBUTION,
    LISTENERS,
    configuration,
    node_name,
    plugins_of,
    refuse_variables,
)
from stackproof.engines.process.images.rabbitmq_files import CONFIG, LOGS, MountedFiles
from stackproof.engines.process.images.rabbitmq_programs import (
    SERVER,
    Layout,
    lay_out_programs,
    locate_rabbitmq,
)
from stackproof.engines.process.images.unfit_data import (
    MADE_BY,
    later_version_fault,
    refuse_unfit_data,
)
from stackproof.engines.process.images.unprivileged import (
    EVERYBODY,
    give,
    private_folder,
    server_user,
    write_private,
)
from stackproof.engines.process.run_data import seen_data
from stackproof.engines.process.world.spec import inside
from stackproof.plan.model import ServicePlan
from stackproof.plan.runtime import Runtime
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

SCHEDULERS = "+S 1:1 +SDcpu 1:1 +SDio 4 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none"
"""Few threads, none of which waits busily: many brokers share a machine."""

NO_SOCKET = f"{EVERYBODY}: RabbitMQ listens on TCP alone"


class RabbitMQ:
    """The `rabbitmq` image without its container."""

    product = "RabbitMQ"
    sources = "a configured folder, this machine's programs, Debian's packages"

    def locate(self, runtime: Runtime, cache: Path, runner: Runner) -> Server:  # noqa: ARG002 - the protocol's; what was found is unpacked when it is prepared
        """Find the programs; see `locate_rabbitmq`."""
        return locate_rabbitmq(runtime, cache)

    def data_fault(self, folder: Path, server: Server) -> str:
        """Data are read by the version that has written them, or a later one."""
        return later_version_fault(folder, server)

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Write the configuration of a node that shares nothing with others on this machine."""
        refuse_variables(service.name, service.environment)
        uid = server_user()
        data, place = run.data / service.name, private_folder(run, service.name, uid)
        make_folders(str(data))
        found = seen_data(run) / service.name
        refuse_unfit_data(service.name, self.data_fault(found, server))
        files = MountedFiles(service, place)
        files.copy(uid)
        ports = service.own_ports
        plugins = _plugins(service, files, ports)
        layout = lay_out_programs(server, plugins, cache, runner)
        _write_files(service, files, plugins, run, uid)
        _write_cookie(service, run, cache, uid)
        (found / MADE_BY).write_text(server.version, encoding="ascii")
        give(found, uid)
        node, told = node_name(service.name, service.environment)
        unnamed = [
            f"nobody reaches {plugin}: the stack file does not name port {LISTENERS[plugin][1]}"
            for plugin in plugins
            if plugin in LISTENERS and LISTENERS[plugin][1] not in ports
        ]
        return Launch(
            argv=(str(layout.programs / SERVER),),
            env=_environment(service, layout, node, place, data, ports[DISTRIBUTION]),
            cwd=data,
            uid=uid,
            notices=tuple(filter(None, (_exposed(service), told, *unnamed))),
        )


def _exposed(service: ServicePlan) -> str:
    return NO_SOCKET if service.world is None else ""


def _plugins(service: ServicePlan, files: MountedFiles, ports: Mapping[int, int]) -> list[str]:
    runtime = service.runtime
    named = service.environment.get("RABBITMQ_ENABLED_PLUGINS_FILE", "")
    return plugins_of(
        files.text(named or f"{CONFIG}/enabled_plugins"),
        enabled_by_command(service.name, service.argv),
        runtime.variant if runtime is not None else "",
        ports,
    )


def _write_files(
    service: ServicePlan,
    files: MountedFiles,
    plugins: list[str],
    run: RunFolder,
    uid: int | None,
) -> None:
    place = run.server(service.name)
    named = service.environment.get("RABBITMQ_CONFIG_FILE", "")
    main = [named, f"{named}.conf"] if named else [f"{CONFIG}/rabbitmq.conf"]
    host, _ = service.listens
    written = list(files.settings(main))
    text = configuration(service.name, written, plugins, service.own_ports, files.path, host)
    if service.limits.memory:
        text += f"total_memory_available_override_value = {service.limits.memory}\n"
    if service.world is not None:
        text = inside(run.path, text)
    write_private(place / "rabbitmq.conf", text, uid)
    write_private(place / "enabled_plugins", f"[{','.join(plugins)}].\n", uid)
    advanced = service.environment.get("RABBITMQ_ADVANCED_CONFIG_FILE", "")
    more = files.text(advanced or f"{CONFIG}/advanced.config")
    write_private(place / "advanced.config", more or "[].\n", uid)


def _write_cookie(service: ServicePlan, run: RunFolder, cache: Path, uid: int | None) -> None:
    """Write what nodes and their commands show each other; nobody else on this machine knows it."""
    given = service.environment.get("RABBITMQ_ERLANG_COOKIE", "")
    home = run.home(service.name)
    make_folders(str(home))
    cookie = home / ".erlang.cookie"
    write_private(cookie, given or secret_value(cache, "rabbitmq", "cookie"), uid)
    cookie.chmod(0o400)


def _environment(
    service: ServicePlan, layout: Layout, node: str, place: Path, data: Path, port: int
) -> dict[str, str]:
    """The variables of the server and of the commands that are run beside it.

    The node has a fixed port for its peers, so that no epmd has to say which one it is; a command
    listens on none.
    """
    meet = f"-start_epmd false -erl_epmd_port {port}"
    own = f"-sname {node} {meet} -kernel inet_dist_use_interface {{127,0,0,1}} {SCHEDULERS}"
    given = service.environment.get
    server_arguments = given("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "")
    command_arguments = given("RABBITMQ_CTL_ERL_ARGS", "")
    libraries = {"ERL_LIBS": str(layout.libraries)} if layout.libraries else {}
    return {
        **libraries,
        # A command that fails hard would leave it in the folder that it is run in.
        "ERL_CRASH_DUMP": str(place / "erl_crash.dump"),
        "PATH": f"{layout.programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_USE_LONGNAME": "",
        "RABBITMQ_NODE_PORT": "",
        "RABBITMQ_DIST_PORT": str(port),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(place / "advanced.config"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(place / "generated"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "enabled_plugins"),
        "RABBITMQ_PLUGINS_DIR": str(layout.plugins),
        "RABBITMQ_SERVER_CODE_PATH": str(layout.modules),
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(service.mounts.get(LOGS, place / "log")),
        "RABBITMQ_PID_FILE": str(place / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{own} {server_arguments}",
        "RABBITMQ_CTL_ERL_ARGS": f"{meet} -dist_listen false {command_arguments}",
        "RABBITMQ_LOG": given("RABBITMQ_LOG", "-color"),
        # Its script then becomes the server in place of waiting for it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
