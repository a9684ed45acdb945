"""Coverage of services: where it is measured, and by whom."""

import stat
import subprocess
import sys
from pathlib import Path

from stackproof.artifacts.service_coverage import DATA, combine, coverage_environment


def measured(folder, place, environment):
    """Run a module as a service would that has its code at another path than this machine."""
    place.mkdir()
    (place / "shop.py").write_text("price = 1\nif price > 2:\n    price = 2\n")
    subprocess.run(
        [sys.executable, "-c", "import shop"], check=True, cwd=folder,
        env={**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{place}"},
    )  # fmt: skip


def test_what_a_service_has_run_at_its_own_path_counts_for_the_source_here(tmp_path):
    source, place, folder = tmp_path / "source", tmp_path / "app", tmp_path / "coverage"
    source.mkdir()
    (source / "shop.py").write_text("price = 1\nif price > 2:\n    price = 2\n")
    environment = coverage_environment(folder, {source: [str(place)]})
    measured(tmp_path, place, environment)
    assert combine(folder).startswith("coverage of the services: 67 %")
    text = Path(folder, "coverage.txt").read_text()
    assert f"{source}/shop.py" in text or "source/shop.py" in text
    assert "app/shop.py" not in text


def test_other_users_may_add_measurements_only_where_services_run_as_others(tmp_path):
    modes = []
    for by_others in (False, True):
        coverage_environment(tmp_path / str(by_others), {}, by_others=by_others)
        modes.append(stat.S_IMODE((tmp_path / str(by_others) / DATA).stat().st_mode))
    assert modes[1] == 0o1733
    assert modes[0] & 0o022 == 0
