"""Coverage of Python services: measured inside their processes, combined into the artifacts.

The services' own environments stay as their locks say: coverage is lent to them by a folder on
their import path, which holds a `sitecustomize` module that starts the measurement.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

SITE = "coverage-site"
DATA = "coverage-data"
CONFIG = "coveragerc"

_SITECUSTOMIZE = """\
import coverage

coverage.process_startup()
"""


def lend(folder: Path, sources: list[Path]) -> Mapping[str, str] | None:
    """Make the folder that starts coverage in each Python process which has it on its path.

    Args:
        folder: Where the measurements go; it must outlive the services.
        sources: Folders whose files are measured.

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
    package = site / "coverage"
    if not package.is_symlink():
        package.symlink_to(Path(spec.origin).parent)
    (site / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
    config = site / CONFIG
    config.write_text(_config(data, sources), encoding="utf-8")
    return {"COVERAGE_PROCESS_START": str(config), "PYTHONPATH": str(site)}


def _config(data: Path, sources: list[Path]) -> str:
    listed = "".join(f"\n    {source}" for source in sources)
    return (
        "[run]\n"
        f"data_file = {data / 'coverage'}\n"
        "parallel = true\n"
        "sigterm = true\n"
        "disable_warnings = no-data-collected, module-not-measured\n"
        "concurrency = thread, multiprocessing\n"
        "patch = _exit\n"
        f"source ={listed}\n"
    )


def combine(folder: Path) -> str:
    """Combine what the services' processes measured, and write reports beside it.

    Args:
        folder: What was given to `lend`; gets `coverage.xml` and `coverage.txt`.

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
    shutil.rmtree(data)
    return f"coverage of the services: {total:.0f} % ({folder / 'coverage.txt'})"


def _report(folder: Path, data: Path) -> float:
    import coverage

    measured = coverage.Coverage(
        data_file=str(data / "coverage"), config_file=str(folder / SITE / CONFIG)
    )
    measured.combine([str(data)])
    measured.save()
    measured.xml_report(outfile=str(folder / "coverage.xml"), ignore_errors=True)
    with (folder / "coverage.txt").open("w", encoding="utf-8") as file:
        return measured.report(file=file, ignore_errors=True, show_missing=True)
