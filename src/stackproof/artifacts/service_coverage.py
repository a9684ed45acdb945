"""Coverage of Python services: measured inside their processes, combined into the artifacts.

The services' own environments stay as their locks say: coverage reaches them by a folder on
their import path, which holds a `sitecustomize` module that starts the measurement.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import coverage

SITE = "coverage-site"
DATA = f"{SITE}/data"
"""In there, so that a service with files of its own needs one folder of this machine."""

CONFIG = "coveragerc"

FOR_OTHERS = 0o1733
"""Everybody may add measurements, and neither list nor change those of others."""

_SITECUSTOMIZE = """\
import coverage

coverage.process_startup()
"""


def coverage_environment(
    folder: Path, sources: Mapping[Path, Collection[str]], *, by_others: bool = False
) -> Mapping[str, str] | None:
    """Make the folder that starts coverage in each Python process which has it on its path.

    Args:
        folder: Where the measurements go; it must outlive the services.
        sources: Folders whose files are measured, with the paths at which services see each.
        by_others: Whether services run as other users than this one.

    Returns:
        Variables for the services, PYTHONPATH to be put in front of their own; None where
        coverage is not installed beside stackproof.

    Source: coverage.py documentation, "Measuring subprocesses".
    """
    spec = find_spec("coverage")
    if spec is None or spec.origin is None:
        return None
    site, data = folder / SITE, folder / DATA
    site.mkdir(parents=True, exist_ok=True)
    data.mkdir(exist_ok=True)
    if by_others:
        data.chmod(FOR_OTHERS)
    package = site / "coverage"
    if not package.is_symlink():
        package.symlink_to(Path(spec.origin).parent)
    (site / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    config = site / CONFIG
    config.write_text(_config(data, sources), encoding="utf-8")
    return {"COVERAGE_PROCESS_START": str(config), "PYTHONPATH": str(site)}


def _config(data: Path, sources: Mapping[Path, Collection[str]]) -> str:
    places = {str(source): sorted({str(source), *seen}) for source, seen in sources.items()}
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
    """Combine what the services' processes measured, and write reports beside it.

    Args:
        folder: What was given to `coverage_environment`; gets `coverage.xml` and `coverage.txt`.

    Returns:
        The total as a sentence, or why there is none.
    """
    data = folder / DATA
    if find_spec("coverage") is None:
        return "coverage of the services was not measured: coverage is not installed"
    if not data.is_dir() or not any(data.iterdir()):
        return "coverage of the services was not measured: their processes left no data"
    import coverage

    try:
        total = _report(folder, data)
    except coverage.CoverageException as error:
        return f"coverage of the services could not be combined: {error}"
    shutil.rmtree(folder / SITE)
    return f"coverage of the services: {total:.0f} % ({folder / 'coverage.txt'})"


def _report(folder: Path, data: Path) -> float:
    where = (str(data / "coverage"), str(folder / SITE / CONFIG))
    with _measured(*where) as measured:
        measured.combine([str(data)])
        measured.save()
        measured.xml_report(outfile=str(folder / "coverage.xml"), ignore_errors=True)
    text = (folder / "coverage.txt").open("w", encoding="utf-8")
    with text as file, _measured(*where) as measured:
        measured.load()
        return measured.report(file=file, ignore_errors=True, show_missing=True)


@contextmanager
def _measured(data: str, config: str) -> Iterator[coverage.Coverage]:
    """Measurements for one report, which makes a database in memory that nobody closes."""
    import coverage

    measured = coverage.Coverage(data_file=data, config_file=config)
    try:
        yield measured
    finally:
        measured.get_data().close(force=True)
