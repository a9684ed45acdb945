"""Runs `nginx` images natively in a private world, where its files lie as the image has them.

Sources: the official image's reference (templates, users, logs to the streams), and the
documentation of nginx for its options.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from stackproof.engines.process.images.command import is_script, server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server
from stackproof.engines.process.images.packaged import Program, WithoutData, library_path
from stackproof.engines.process.images.unprivileged import private_folder
from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.plan.world.model import World
from stackproof.reaper.run_folder import RunFolder
from stackproof.stack_file.regular_files import read_text_file

PROGRAM = Program("nginx", "nginx", "usr/sbin", ("nginx",), "nginx", version_option="-v")
USER = ("nginx", 101)
CONFIG = "/etc/nginx"
PAGES = "/usr/share/nginx/html"
LOGS = "/var/log/nginx"
SCRIPTS = "/docker-entrypoint.d"
TEMPORARY = ("/var/cache/nginx", "/var/lib/nginx")
SHIPPED = ("mime.types", "fastcgi_params", "scgi_params", "uwsgi_params", "fastcgi.conf")
"""Files of Debian's package that the official image has as well."""

USUAL = ("nginx", "-g", "daemon off;")

MAIN = """\
user nginx;
worker_processes {workers};
error_log {logs}/error.log notice;
pid {pid};
events {{ worker_connections 1024; }}
http {{
    include {config}/mime.types;
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log {logs}/access.log main;
    sendfile on;
    keepalive_timeout 65;
    include {config}/conf.d/*.conf;
}}
"""

SITE = """\
server {{
    listen {port};
    server_name localhost;
    location / {{
        root {pages};
        index index.html index.htm;
    }}
    error_page 500 502 503 504 /50x.html;
    location = /50x.html {{
        root {pages};
    }}
}}
"""

PAGE = "<!DOCTYPE html>\n<title>{title}</title>\n<h1>{title}</h1>\n"

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class Nginx(WithoutData):
    """The `nginx` image without its container."""

    product = "nginx"
    program = PROGRAM

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Lay out what the image has; what a Dockerfile or a mount adds lies over it.

        Raises:
            ConfigError: If its command runs something else.
        """
        if service.world is None:
            raise AssertionError(f"{service.name} was planned for the host world")
        root = PROGRAM.root(server, cache, runner)
        place = private_folder(run, service.name, None)
        image_files = _lay_out(service, service.world, root, place)
        return Launch(
            argv=_command(service, server.bindir / PROGRAM.name),
            env=library_path(root),
            cwd=Path("/"),
            image_files=image_files,
            seen=dict(_from_templates(service, service.world, place)),
            users=dict([USER]),
            notices=tuple(_not_run(service.world)),
            is_of_image=True,
        )


def _command(service: ServicePlan, program: Path) -> tuple[str, ...]:
    """What is started; a script of a shell as it is written, since `nginx` is on its PATH."""
    if is_script(service.argv):
        return tuple(service.argv)
    return (str(program), "-p", CONFIG, *_arguments(service))


def _arguments(service: ServicePlan) -> tuple[str, ...]:
    """The options of the server; what the official image says where the command says nothing."""
    argv = service.argv or USUAL
    given = server_arguments(argv, service.environment, (PROGRAM.name, "nginx-debug"))
    is_known = bool(given) and given[0].startswith("-")
    if not is_known and not any(word.rsplit("/", 1)[-1] == PROGRAM.name for word in argv):
        raise ConfigError(
            f"the command of {service.name} does not run nginx",
            key=f"services.{service.name}.command",
            observed=" ".join(argv),
            remedy="remove the command, or let it begin with `nginx`",
        )
    return given


def _lay_out(service: ServicePlan, world: World, root: Path, place: Path) -> Mapping[str, Path]:
    """Make what the image has in folders of the run: path in the room → folder."""
    config, pages, logs = place / "config", place / "pages", place / "logs"
    (config / "conf.d").mkdir(parents=True, exist_ok=True)
    pages.mkdir(exist_ok=True)
    logs.mkdir(exist_ok=True)
    for name in SHIPPED:
        if (root / "etc/nginx" / name).is_file():
            shutil.copyfile(root / "etc/nginx" / name, config / name)
    port = 80 if world.user.uid == 0 else 8080
    port = next(iter(service.own_ports), port)
    pid = "/run/nginx.pid" if world.user.uid == 0 else "/tmp/nginx.pid"  # noqa: S108 - in its room
    workers = max(1, int(service.limits.cpus or 1))
    main = MAIN.format(workers=workers, logs=LOGS, pid=pid, config=CONFIG)
    (config / "nginx.conf").write_text(main, encoding="utf-8")
    site = config / "conf.d/default.conf"
    site.write_text(SITE.format(port=port, pages=PAGES), encoding="utf-8")
    for name, title in (("index.html", "Welcome to nginx!"), ("50x.html", "Error")):
        (pages / name).write_text(PAGE.format(title=title), encoding="utf-8")
    for name, stream in (("access.log", "/dev/stdout"), ("error.log", "/dev/stderr")):
        (logs / name).unlink(missing_ok=True)
        (logs / name).symlink_to(stream)
    seen = {CONFIG: config, PAGES: pages, LOGS: logs}
    for number, path in enumerate(TEMPORARY):
        (place / f"temporary-{number}").mkdir(exist_ok=True)
        seen[path] = place / f"temporary-{number}"
    _open_to_all(place)
    return seen


def _not_run(world: World) -> Iterator[str]:
    """The scripts that the official image would run before it starts."""
    for path in sorted(world.files_below(SCRIPTS)):
        yield f"{path} is not run: no entrypoint of the image is there"


def _open_to_all(place: Path) -> None:
    """Let the workers, who are another user, read what there is, and write to their folders."""
    for path in (place, *place.rglob("*")):
        if not path.is_symlink():
            is_temporary = path.name.startswith("temporary-")
            path.chmod(0o777 if is_temporary else 0o755 if path.is_dir() else 0o644)


def _from_templates(service: ServicePlan, world: World, place: Path) -> Iterator[tuple[str, Path]]:
    """Fill in `*.template` files, as the official image does before it starts."""
    environment = service.environment
    folder = environment.get("NGINX_ENVSUBST_TEMPLATE_DIR", f"{CONFIG}/templates")
    suffix = environment.get("NGINX_ENVSUBST_TEMPLATE_SUFFIX", ".template")
    output = environment.get("NGINX_ENVSUBST_OUTPUT_DIR", f"{CONFIG}/conf.d")
    for target, path in sorted(world.files_below(folder).items()):
        if not target.endswith(suffix):
            continue
        inside = PurePosixPath(target.removesuffix(suffix)).relative_to(folder)
        filled = place / "filled" / inside
        filled.parent.mkdir(parents=True, exist_ok=True)
        filled.write_text(_filled(read_text_file(path), environment), encoding="utf-8")
        _open_to_all(place / "filled")
        yield f"{output}/{inside}", filled


def _filled(text: str, environment: Mapping[str, str]) -> str:
    """The text with the variables that the service has; nginx's own stay, as `$host`."""

    def value(found: re.Match[str]) -> str:
        return environment.get(found[1] or found[2], found[0])

    return _VARIABLE.sub(value, text)
