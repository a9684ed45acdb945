"""A second real user of this machine, made by root for the attacks in tests and removed again."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import stackproof
import stackproof_gateway
import stackproof_redaction
from stackproof.waiting import wait_until

SYSTEM_PYTHON = "/usr/bin/python3"
"""An interpreter that every user can run; root's own may lie in a home that is closed."""


@dataclass(frozen=True)
class OtherUser:
    """An ordinary user with a home folder.

    Attributes:
        name: The login name.
        uid: Its number, which is its group's too.
        home: Its home folder, mode 0700.
    """

    name: str
    uid: int
    home: Path

    def environment(self, given: Mapping[str, str] | None = None) -> dict[str, str]:
        """A login's environment, without anything of the caller's."""
        return {
            "HOME": str(self.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            **(given or {}),
        }

    def popen(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        **options: object,
    ) -> subprocess.Popen[str]:
        """Start a program with this user's rights and nothing more."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # options of the caller
            list(argv),
            text=True,
            user=self.uid,
            group=self.uid,
            extra_groups=[],
            cwd=cwd or self.home,
            env=self.environment(environment),
            **options,
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program with this user's rights to its end; output and errors are collected."""
        with self.popen(
            argv,
            environment=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def python(
        self, code: str, *arguments: str, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code that can import stackproof, as this user."""
        environment = {"PYTHONPATH": self.import_path(), "PYTHONDONTWRITEBYTECODE": "1"}
        return self.run(
            [SYSTEM_PYTHON, "-c", code, *arguments],
            environment={**environment, **options.pop("environment", {})},  # type: ignore[dict-item]
            **options,  # type: ignore[arg-type]
        )

    def import_path(self) -> str:
        """Where this user finds stackproof and what it needs; copied where the user can't go."""
        version = self.run([SYSTEM_PYTHON, "-c", "import sys; print(*sys.version_info[:2])"]).stdout
        if version.split() != [str(part) for part in sys.version_info[:2]]:
            pytest.skip(f"{SYSTEM_PYTHON} can't load what was installed for another Python")
        packages = stackproof, stackproof_redaction, stackproof_gateway  # each in its own folder
        wanted = [Path(package.__file__).parents[1] for package in packages]
        wanted.append(Path(sysconfig.get_paths()["purelib"]))
        return ":".join(str(self._reachable(path)) for path in wanted)

    def _reachable(self, path: Path) -> Path:
        done = self.run(["ls", str(path)])
        if done.returncode == 0:
            return path
        copy = self.home / "copied" / path.relative_to("/")
        if not copy.exists():
            shutil.copytree(path, copy, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            self.owns(self.home / "copied")
        return copy

    def owns(self, path: Path) -> None:
        """Give a file or a whole folder to this user."""
        for one in (path, *path.rglob("*")):
            os.chown(one, self.uid, self.uid, follow_symlinks=False)


@contextmanager
def made_user() -> Iterator[OtherUser]:
    """Make a user, and remove it with its home and all its processes."""
    name = f"stackproof-{secrets.token_hex(4)}"
    change_users("useradd", "--create-home", "--user-group", name)
    try:
        entry = pwd.getpwnam(name)
        home = Path(entry.pw_dir)
        home.chmod(0o700)
        yield OtherUser(name, entry.pw_uid, home)
    finally:
        _end_processes(entry.pw_uid)
        change_users("userdel", "--remove", "--force", name)


def change_users(*argv: str) -> None:
    """Change the machine's users, after whoever else changes them now: the tools do not wait."""

    def done() -> bool:
        told = subprocess.run(argv, capture_output=True, text=True, check=False)
        if told.returncode and "try again later" not in told.stderr:
            raise AssertionError(told.stderr)
        return not told.returncode

    wait_until(done, timeout=60, what=f"{argv[0]} has the files of users to itself")


def _end_processes(uid: int) -> None:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if entry.stat().st_uid == uid:
                    os.kill(int(entry.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                continue


@pytest.fixture(scope="session")
def other_user() -> Iterator[OtherUser]:
    """An ordinary user of this machine who is not the one that runs the tests."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a second user")
    if shutil.which("useradd") is None or not Path(SYSTEM_PYTHON).exists():
        pytest.skip(f"it takes useradd and {SYSTEM_PYTHON}")
    with made_user() as user:
        yield user
