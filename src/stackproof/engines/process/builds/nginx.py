"""nginx as the base of a build: the files that its image has, and what its entrypoint does.

Source: the Dockerfile and the scripts of the official image (templates, scripts of the user).
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from stackproof.engines.process.builds.system_packages import package_layer
from stackproof.engines.process.builds.toolchain import Around, BaseLayers, usr_of
from stackproof.engines.process.images.nginx import (
    CONFIG,
    LOGS,
    MAIN,
    PAGE,
    PAGES,
    PROGRAM,
    SHIPPED,
    SITE,
    TEMPORARY,
)
from stackproof.engines.process.images.search import on_path, program_version

UNPRIVILEGED = 8080
"""The port of the image that runs as another user."""

ENTRYPOINT = r"""#!/bin/sh
set -e
for script in /docker-entrypoint.d/*; do
  case "$script" in
    *.envsh) [ -x "$script" ] && . "$script" ;;
    *.sh) [ -x "$script" ] && "$script" ;;
  esac
done
templates="${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}"
suffix="${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}"
output="${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}"
if [ -d "$templates" ]; then
  defined=$(printf '${%s} ' $(env | cut -d= -f1 | grep -E "${NGINX_ENVSUBST_FILTER:-}"))
  find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    name="${template#"$templates/"}"
    mkdir -p "$output/$(dirname "$name")"
    envsubst "$defined" < "$template" > "$output/${name%"$suffix"}"
  done
fi
exec "$@"
"""
"""Does what docker-entrypoint.sh of the official image does."""


def nginx_layers(around: Around) -> BaseLayers:
    """The layers of an image of nginx.

    Raises:
        EngineUnavailable: If it is neither on this machine nor among Debian's packages.
    """
    wanted = [] if shutil.which("envsubst") else ["gettext-base"]
    program, origin = next(on_path(PROGRAM.name), (None, "Debian's packages"))
    wanted += [] if program else PROGRAM.packages
    found = (
        package_layer(wanted, around.shelf, around.cache, around.runner).layer if wanted else None
    )
    root = Path("/") if program or found is None else found / "files"
    program = program or (found / "parts/usr/sbin/nginx" if found else Path("/usr/sbin/nginx"))
    version = program_version(program, PROGRAM.version_option)
    key = ("nginx", around.base.ports, str(root), ENTRYPOINT, MAIN, SITE)
    layer = around.layer(key, partial(_lay_out, around.base.ports[0], root))
    layers = (found, layer) if found else (layer,)
    told = around.stands_in("nginx", version, origin, around.base.version)
    return BaseLayers(layers, " ".join(one.name for one in layers), told)


def _lay_out(port: int, root: Path, draft: Path) -> None:
    files, pages = draft / "files", usr_of(draft) / Path(PAGES).relative_to("/usr")
    config, logs = files / CONFIG.lstrip("/"), files / LOGS.lstrip("/")
    for folder in (config / "conf.d", files / "docker-entrypoint.d", logs, pages):
        folder.mkdir(parents=True)
    for name in SHIPPED:
        if (root / "etc/nginx" / name).is_file():
            shutil.copyfile(root / "etc/nginx" / name, config / name)
    is_root = port != UNPRIVILEGED
    pid = "/run/nginx.pid" if is_root else "/tmp/nginx.pid"  # noqa: S108 - in its room
    main = MAIN.format(workers="auto", logs=LOGS, pid=pid, config=CONFIG)
    (config / "nginx.conf").write_text(main, encoding="utf-8")
    site = SITE.format(port=port, pages=PAGES)
    (config / "conf.d/default.conf").write_text(site, encoding="utf-8")
    for name, title in (("index.html", "Welcome to nginx!"), ("50x.html", "Error")):
        (pages / name).write_text(PAGE.format(title=title), encoding="utf-8")
    for name, stream in (("access.log", "/dev/stdout"), ("error.log", "/dev/stderr")):
        (logs / name).symlink_to(stream)
    entrypoint = files / "docker-entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT, encoding="utf-8")
    for path in (*files.rglob("*"), *usr_of(draft).rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path == entrypoint else 0o644)
    for name in TEMPORARY:
        place = files / name.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(0o777)
