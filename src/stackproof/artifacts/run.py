"""What a run leaves on purpose: one folder a run under `.artifacts/<suite>/`, secrets masked."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from stackproof_redaction import Redactor
from stackproof_redaction.files import mask_tree

LATEST = "latest"
"""Name of the link to the newest run of a suite."""

KEPT_RUNS = 20
"""How many runs of a suite are kept; older ones are removed when a new one begins."""

LINES_AT_ONCE = 1000
"""Lines that are masked together: a secret may go across their ends."""

_MOMENT = "%Y%m%dT%H%M%SZ"

_RUN_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@dataclass(frozen=True)
class RunArtifacts:
    """The folder of one run; every text that is written here is masked first.

    Attributes:
        folder: Where the run's files are.
        redactor: Masks the secrets of the run.
    """

    folder: Path
    redactor: Redactor

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file and give back its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.redactor.text(text), encoding="utf-8")
        return path

    def write_lines(self, name: str, lines: Iterable[str]) -> Path:
        """Write a text file line by line, without holding it in memory."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rest = iter(lines)
        with path.open("w", encoding="utf-8") as file:
            while some := list(islice(rest, LINES_AT_ONCE)):
                file.writelines(line + "\n" for line in self.redactor.lines(some))
        return path

    def write_json(self, name: str, value: object) -> Path:
        """Write a JSON file and give back its path."""
        masked = self.redactor.value(value)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(masked, indent=2) + "\n", encoding="utf-8")
        return path

    def mask_files(self) -> None:
        """Mask every file that another program wrote into the folder, such as JUnit XML."""
        mask_tree(self.folder, self.redactor)


def run_name(now: datetime) -> str:
    """A name for the folder of a run, such that later ones sort after it."""
    return f"{now.strftime(_MOMENT)}-{secrets.token_hex(3)}"


def new_run(
    root: Path,
    suite: str,
    redactor: Redactor,
    *,
    now: datetime | None = None,
    name: str | None = None,
) -> RunArtifacts:
    """Make the folder of a new run, and let `latest` point to it.

    Args:
        root: The artifacts folder of the project.
        suite: Name of the suite.
        redactor: Masks the secrets of the run.
        now: The time that the folder is named after; the present if None.
        name: The folder's name, which all processes of the run have been told; None for a new one.
    """
    folders = root / suite
    folders.mkdir(parents=True, exist_ok=True)
    folder = folders / (name or run_name(_moment_after(_runs(folders), now or datetime.now(UTC))))
    folder.mkdir(exist_ok=name is not None)
    _point_latest(folder)
    _drop_old(folder)
    return RunArtifacts(folder, redactor)


def _point_latest(folder: Path) -> None:
    link = folder.parent / f".{LATEST}-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(folder.parent / LATEST)


def _drop_old(newest: Path) -> None:
    others = [run for run in _runs(newest.parent) if run != newest]
    for run in others[: 1 - KEPT_RUNS]:
        shutil.rmtree(run, ignore_errors=True)


def _runs(suite: Path) -> list[Path]:
    """The folders of a suite's runs, oldest first."""
    return sorted(path for path in suite.iterdir() if _RUN_NAME.fullmatch(path.name))


def _moment_after(runs: list[Path], now: datetime) -> datetime:
    """The present, or the second after the newest run's if the clock was set back."""
    newest = runs[-1].name.partition("-")[0] if runs else ""
    if newest <= now.strftime(_MOMENT):
        return now
    return datetime.strptime(newest, _MOMENT).replace(tzinfo=UTC) + timedelta(seconds=1)
