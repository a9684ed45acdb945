"""Coverage of Python services: measured inside their processes, combined into the artifacts.

The services' own environments stay as their locks say: coverage reaches them by a folder on
their import path, which holds a `sitecustomize` module that starts the measurement. Each service of
each stack of a session has such a folder, since several may see different files at one path; what
all of them measured makes one report.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import coverage

STACKS = "stacks"
"""Folder of what is measured, by project and service."""

SITE = "coverage-site"
DATA = f"{SITE}/data"
"""In there, so that a service with files of its own needs one folder of this machine."""

CONFIG = "coveragerc"
SOURCES = "sources.json"

FOR_OTHERS = 0o1733
"""Everybody may add measurements, and neither list nor change those of others."""

_SITECUSTOMIZE = """\
import os, posix, signal
import coverage

coverage.process_startup()
_save = signal.getsignal(signal.SIGTERM)


def _end(number, frame):
    _save(number, frame)
    posix._exit(128 + number)


if os.getpid() == 1 and callable(_save):
    signal.signal(signal.SIGTERM, _end)
"""
"""The handler of coverage saves, and sends the signal again without a handler: the first process of
a PID namespace loses that one, and would not end.
Source: pid_namespaces(7), "The namespace init process".
"""


def coverage_environment(
    folder: Path,
    project: str,
    service: str,
    sources: Mapping[Path, Collection[str]],
    *,
    by_others: bool = False,
) -> Mapping[str, str] | None:
    """Make the folder that starts coverage in each Python process of a service.

    Args:
        folder: Where the measurements of a session go; it must outlive the services.
        project: Name of the copy of the stack.
        service: The service that is measured.
        sources: Folders whose files are measured, with the paths at which it sees each.
        by_others: Whether it runs as another user than this one.

    Returns:
        Variables for the service, PYTHONPATH to be put in front of its own; None where
        coverage is not installed beside stackproof.

    Source: coverage.py documentation, "Measuring subprocesses".
    """
    spec = find_spec("coverage")
    if spec is None or spec.origin is None:
        return None
    own = folder / STACKS / project / service
    site, data = own / SITE, own / DATA
    site.mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    if by_others:
        data.chmod(FOR_OTHERS)
    package = site / "coverage"
    if not package.is_symlink():
        package.symlink_to(Path(spec.origin).parent)
    (site / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    config = site / CONFIG
    places = {str(source): sorted({str(source), *seen}) for source, seen in sources.items()}
    config.write_text(_config(data, places), encoding="utf-8")
    (own / SOURCES).write_text(json.dumps(places), encoding="utf-8")
    return {"COVERAGE_PROCESS_START": str(config), "PYTHONPATH": str(site)}


def _config(data: Path, places: Mapping[str, Collection[str]]) -> str:
    listed = "".join(f"\n    {place}" for found in places.values() for place in found)
    return (
        "[run]\n"
        f"data_file = {data / 'coverage'}\n"
        "parallel = true\n"
        "sigterm = true\n"
        "disable_warnings = no-data-collected, module-not-measured\n"
        "concurrency = thread, multiprocessing\n"
        "patch = _exit\n"
        f"source ={listed}\n"
        "[paths]\n" + "".join(_same(number, *item) for number, item in enumerate(places.items()))
    )


def _same(number: int, source: str, places: Collection[str]) -> str:
    """Says that files of several folders are those of the first one."""
    others = "".join(f"    {place}\n" for place in places if place != source)
    return f"source{number} =\n    {source}\n{others}" if others else ""


def combine(folder: Path) -> str:
    """Combine what the processes of all stacks measured, and write reports beside it.

    Args:
        folder: What was given to `coverage_environment`; gets `coverage.xml` and `coverage.txt`.

    Returns:
        The total as a sentence, or why there is none.
    """
    stacks = folder / STACKS
    found = [data for data in stacks.glob(f"*/*/{DATA}") if any(data.iterdir())]
    if find_spec("coverage") is None:
        return "coverage of the services was not measured: coverage is not installed"
    if not found:
        return "coverage of the services was not measured: their processes left no data"
    import coverage

    try:
        total = _report(folder, found)
    except coverage.CoverageException as error:
        return f"coverage of the services could not be combined: {error}"
    shutil.rmtree(stacks)
    return f"coverage of the services: {total:.0f} % ({folder / 'coverage.txt'})"


def _report(folder: Path, found: Collection[Path]) -> float:
    sources, parts = set(), []
    for data in found:
        own = data.parents[1]
        sources |= json.loads((own / SOURCES).read_text(encoding="utf-8")).keys()
        parts.append(_combined(own / "coverage", own / SITE / CONFIG, [data]))
    config = folder / STACKS / CONFIG
    config.write_text(_config(folder, {one: [one] for one in sorted(sources)}), encoding="utf-8")
    together = _combined(folder / STACKS / "coverage", config, parts)
    with _measured(together, config) as measured:
        measured.load()
        measured.xml_report(outfile=str(folder / "coverage.xml"), ignore_errors=True)
    text = (folder / "coverage.txt").open("w", encoding="utf-8")
    with text as file, _measured(together, config) as measured:
        measured.load()
        return measured.report(file=file, ignore_errors=True, show_missing=True)


def _combined(together: Path, config: Path, found: Collection[Path]) -> Path:
    """One file of measurements from many files and folders, with the paths of a configuration."""
    with _measured(together, config) as measured:
        measured.combine([str(one) for one in found])
        measured.save()
    return together


@contextmanager
def _measured(data: Path, config: Path) -> Iterator[coverage.Coverage]:
    """Measurements for one report, which makes a database in memory that nobody closes."""
    import coverage

    measured = coverage.Coverage(data_file=str(data), config_file=str(config))
    try:
        yield measured
    finally:
        measured.get_data().close(force=True)
