"""Whether this machine allows private worlds: the real steps are tried, and the reason is told.

Sources: user_namespaces(7); Ubuntu's notes on AppArmor's restriction of user namespaces; Docker's
default seccomp profile.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from stackproof.engines.process.world.failures import TRY_IT

SECONDS = 60.0
"""How long the trial may take; it takes milliseconds on a machine that is not busy."""

OLDEST_KERNEL = (5, 12)
"""The first with mount_setattr(2)."""

_BOOT = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); "
    "from stackproof.engines.process.world.trial import main; main()"
)


_found: dict[int, dict[str, str]] = {}
"""What trials have answered, by the file system that each was made on."""


def refusal(root: Path | None = None) -> str:
    """Why a private world can't be had here, and what would allow it; empty if it can.

    Tried in another process, once for each file system.

    Args:
        root: Folder where runs are kept, whose file system has to hold what services write; None
            for the temporary folder.
    """
    if sys.platform != "linux":
        return f"it takes Linux namespaces, and this is {sys.platform}; use the compose engine"
    place = root or Path(tempfile.gettempdir())
    there = next(one for one in (place, *place.parents) if os.path.isdir(one))
    device = os.stat(there).st_dev
    answer = _found.get(device)
    if answer is None:
        answer = _try(there)
        if answer.get("step") != TRY_IT:  # else the next folder may allow it
            _found[device] = answer
    return _sentence(answer)


def _sentence(failed: dict[str, str]) -> str:
    if not failed:
        return ""
    told = f"{failed['step']}: {failed['words']}"
    return told if "STACKPROOF_STATE_DIR" in told else f"{told}; {advice(_read)}"


def _try(place: Path) -> dict[str, str]:
    source = str(Path(__file__).parents[4])
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _BOOT, source, str(place), str(SECONDS)],
            check=False,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath},
            start_new_session=True,  # it removes its folder also when this process is killed
        )
    except (OSError, subprocess.SubprocessError) as error:
        return {"step": TRY_IT, "words": str(error)}
    try:
        answer: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return {"step": TRY_IT, "words": last}
    return answer


def _read(path: str) -> str:
    """Text of a file; empty where there is none."""
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8").strip()
    return ""


def advice(read: Callable[[str], str], *, root: bool | None = None) -> str:
    """What would allow a private world on a machine that has refused it.

    Args:
        read: Gives the text of a file of this machine, empty where there is none.
        root: Whether root asks; None to look.
    """
    is_root = os.geteuid() == 0 if root is None else root
    version = re.match(r"(\d+)\.(\d+)", read("/proc/sys/kernel/osrelease"))
    if version and tuple(map(int, version.groups())) < OLDEST_KERNEL:
        return f"it takes Linux {OLDEST_KERNEL[0]}.{OLDEST_KERNEL[1]} or later"
    if read("/proc/sys/user/max_user_namespaces") == "0":
        return "let root set it: sysctl user.max_user_namespaces=10000"
    if not is_root and read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "let root set it: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
    if not is_root and read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
        return "let root set it: sysctl kernel.unprivileged_userns_clone=1"
    if _is_container(read):
        return "start the container with --privileged, with the folder of runs on a volume"
    return "run as root, or allow unprivileged user namespaces"


def _is_container(read: Callable[[str], str]) -> bool:
    """Whether this is inside a container, as far as it can be seen."""
    marks = ("/.dockerenv", "/run/.containerenv")
    if any(Path(mark).exists() for mark in marks):
        return True
    words = ("docker", "containerd", "kubepods", "libpod", "lxc")
    return any(word in read("/proc/1/cgroup") for word in words)
