from datetime import UTC, datetime, timedelta

import pytest

from stackproof.artifacts import KEPT_RUNS, new_run
from stackproof.redaction import Redactor

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def run(tmp_path):
    return new_run(tmp_path, "integration", Redactor(["canary-value"]), now=NOON)


def test_each_run_has_a_folder_named_after_its_time(run):
    assert run.folder.name.startswith("20260102T120000Z-")
    assert run.folder.parent.name == "integration"


def test_latest_points_to_the_newest_run(tmp_path, run):
    newer = new_run(tmp_path, "integration", Redactor())
    assert (tmp_path / "integration" / "latest").resolve() == newer.folder.resolve()


def test_texts_lines_and_values_are_masked_as_they_are_written(run):
    run.write_text("a.txt", "x canary-value y")
    run.write_lines("logs/b.log", ["one", "canary-value"])
    run.write_json("c.json", {"k": ["canary-value"]})
    written = [path.read_text() for path in run.folder.rglob("*") if path.is_file()]
    assert len(written) == 3
    assert not any("canary-value" in text for text in written)


def test_files_that_other_programs_wrote_are_masked_afterwards(run):
    (run.folder / "junit.xml").write_text("<x>canary-value</x>")
    (run.folder / "binary").write_bytes(b"\xff\xfe\x00")
    run.mask_files()
    assert "canary-value" not in (run.folder / "junit.xml").read_text()
    assert (run.folder / "binary").read_bytes() == b"\xff\xfe\x00"


def test_only_the_newest_runs_of_a_suite_are_kept_and_nothing_else_is_removed(tmp_path):
    mine = tmp_path / "integration" / "notes"
    mine.mkdir(parents=True)
    for minute in range(KEPT_RUNS + 3):
        new_run(tmp_path, "integration", Redactor(), now=NOON + timedelta(minutes=minute))
    names = sorted(path.name for path in (tmp_path / "integration").glob("2026*"))
    assert len(names) == KEPT_RUNS
    assert names[0].startswith("20260102T1203")
    assert mine.is_dir()


def test_a_run_after_the_clock_was_set_back_is_still_the_newest(tmp_path):
    for minute in range(KEPT_RUNS + 3):
        new_run(tmp_path, "integration", Redactor(), now=NOON + timedelta(minutes=minute))
    later = [
        new_run(tmp_path, "integration", Redactor(), now=NOON - timedelta(days=1))
        for _ in range(KEPT_RUNS)
    ]
    assert all(run.folder.is_dir() for run in later)
    names = sorted(path.name for path in (tmp_path / "integration").glob("2026*"))
    assert names == [run.folder.name for run in later]
