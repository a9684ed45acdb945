"""What a Python service finds around it, and what is kept and said of its packages."""

import sys
from dataclasses import replace

import pytest

from stackproof.engines.process.python.surroundings import surroundings
from stackproof.plan.runtime import Install, LocalProject
from stackproof.reaper.run_folder import RunFolder


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "state", "shop-e2e")
    folder.path.mkdir(parents=True)
    return folder


def test_the_versions_of_a_run_are_kept_and_what_nothing_pins_is_said(
    runtime, lock, tmp_path, runner, run
):
    lock.write_text("iniconfig\nsix==1.17.0\n")
    around = surroundings("api", runtime, run, tmp_path / "cache", runner)
    kept = run.path / "python" / "api.txt"
    assert "six==1.17.0" in kept.read_text().split()
    (notice,) = around.notices
    assert notice.startswith(
        f"not locked: no file pins iniconfig; the versions of this run are in {kept}"
    )
    assert "`uv pip compile requirements.txt --generate-hashes -o requirements.lock`" in notice


def test_what_is_pinned_is_not_talked_of(runtime, lock, tmp_path, runner, run):
    lock.write_text("six==1.17.0\n")
    assert surroundings("api", runtime, run, tmp_path / "cache", runner).notices == ()


def test_a_project_beside_it_is_imported_from_its_own_folder(
    runtime, project, tmp_path, runner, run
):
    shared = tmp_path / "shared"
    (shared / "src").mkdir(parents=True)
    (shared / "pyproject.toml").write_text("[project]\nname = 'shared'\nversion = '1'\n")
    wanted = Install("pip", "pip install ./shared", projects=(LocalProject(shared),))
    runtime = replace(runtime, installs=(wanted,), source_roots=(project,))
    around = surroundings("api", runtime, run, tmp_path / "cache", runner)
    assert around.imported[:2] == (project, shared / "src")
    assert [path.name for path in around.imported[2].iterdir()] == ["shared-1.dist-info"]


def test_another_version_than_the_files_name_is_said(runtime, tmp_path, runner, run):
    wanted = f"3.{sys.version_info.minor}.99"
    runtime = replace(runtime, python=wanted, python_source=f"FROM python:{wanted}")
    (notice,) = surroundings("api", runtime, run, tmp_path / "cache", runner).notices
    assert notice.endswith(f"stands in for {wanted} (FROM python:{wanted})")
