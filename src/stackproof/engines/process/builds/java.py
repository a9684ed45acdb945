"""Java for builds: a JDK of this machine or of Debian's packages, and Maven or Gradle beside it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stackproof.engines.process.builds.system_packages import package_layer
from stackproof.engines.process.builds.toolchain import (
    Around,
    BaseLayers,
    fits,
    is_of_system,
    usr_of,
)
from stackproof.engines.process.images.search import on_path
from stackproof.errors import EngineUnavailable
from stackproof.plan.builds.bases import GRADLE_HOME, JAVA_HOME

MACHINES = ("/usr/lib/jvm", "/opt/java", "/opt")
_RELEASE = re.compile(r'^JAVA_VERSION="(?:1\.)?(\d[^"]*)"', re.MULTILINE)


def java_layers(around: Around) -> BaseLayers:
    """The layers of an image of Java, Maven or Gradle.

    Raises:
        EngineUnavailable: If there is no JDK of that version, or no such tool.
    """
    base = around.base
    layers: tuple[Path, ...] = ()
    home = next((one for one in _homes() if fits(_version_of(one), base.java, 1)), None)
    if home is None:
        name = f"openjdk-{base.java}-jdk-headless"
        found = package_layer((name,), around.shelf, around.cache, around.runner).layer
        home = next((found / "parts/usr/lib/jvm").glob("java-*-openjdk-*"), None) if found else None
        if found is None or home is None:
            raise _unavailable(around, f"JDK {base.java}")
        layers = (found,)
        version, origin = _version_of(home), "Debian's packages"
        target = f"/usr/lib/jvm/{home.name}"
    else:
        version, origin, target = _version_of(home), "installed", str(home)
    layer = around.layer(("java", target, version), partial(_linked, Path(target)))
    told = around.stands_in("Java", version, origin, base.java)
    if base.kind != "java":
        tool, told_of_tool = _tool(around)
        return BaseLayers((*layers, layer, tool), f"{layer.name} {tool.name}", told + told_of_tool)
    return BaseLayers((*layers, layer), layer.name, told)


def _homes() -> Iterator[Path]:
    """JDKs of this machine, the one that is meant first."""
    named = os.environ.get("JAVA_HOME")
    found = [Path(named)] if named else []
    found += [program.parent.parent for program, _ in on_path("javac")]
    for folder in map(Path, MACHINES):
        if folder.is_dir():
            found += sorted(folder.iterdir())
    for home in found:
        if (home / "bin/javac").exists() and _version_of(home):
            yield home.resolve()


def _version_of(home: Path) -> str:
    try:
        match = _RELEASE.search((home / "release").read_text(encoding="utf-8"))
    except OSError:
        return ""
    return match[1] if match else ""


def _linked(home: Path, draft: Path) -> None:
    place = draft / "files" / JAVA_HOME.lstrip("/")
    place.parent.mkdir(parents=True)
    for path in (place.parent, place.parent.parent):
        path.chmod(0o755)
    if is_of_system(home) or not home.exists():
        place.symlink_to(home)
    else:
        shutil.copytree(home, place, symlinks=True)


def _tool(around: Around) -> tuple[Path, tuple[str, ...]]:
    name = {"maven": "mvn", "gradle": "gradle"}[around.base.kind]
    for program, origin in on_path(name):
        home = program.parent.parent
        layer = around.layer((name, str(home)), partial(_with_tool, name, home))
        version = _version_of_tool(home)
        return layer, around.stands_in(name, version, origin, around.base.version)
    raise _unavailable(around, name)


def _version_of_tool(home: Path) -> str:
    """The version in the name of a library of a tool, or of one that is the same file."""
    for pattern in ("lib/maven-core*.jar", "lib/gradle-core-[0-9]*.jar"):
        for path in home.glob(pattern):
            real = path.resolve()
            for name in (path.name, *(one.name for one in real.parent.glob(f"{real.stem}-*.jar"))):
                match = re.search(r"-(\d+(?:\.\d+)+)\.jar$", name)
                if match:
                    return match[1]
    return "of an unknown version"


def _with_tool(name: str, home: Path, draft: Path) -> None:
    local = usr_of(draft) / "local/bin"
    local.mkdir(parents=True)
    place = home
    if not is_of_system(home):
        place = Path(GRADLE_HOME if name == "gradle" else "/usr/local/share/maven")
        inside = draft / "files" if name == "gradle" else draft / "parts"
        shutil.copytree(home, inside / str(place).lstrip("/"), symlinks=True)
    (local / name).symlink_to(place / "bin" / name)
    settings = Path("/etc/maven")
    if name == "mvn" and settings.is_dir():  # Debian's Maven has its own there
        shutil.copytree(settings, draft / "files/etc/maven", symlinks=True)


def _unavailable(around: Around, what: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"nothing stands for {around.base.reference} on this machine",
        checked=[f"{what}: neither on PATH nor in {', '.join(MACHINES)}"],
        remedy=f"install {what}, or use --engine compose",
    )
