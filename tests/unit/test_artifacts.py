import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.artifacts.forensics import keep_failure
from stackproof.artifacts.run import KEPT_RUNS, new_run, run_name
from stackproof.engines.timestamps import Moment
from stackproof.errors import NoStack
from stackproof_redaction import MASK, Redactor

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


def test_xml_and_json_stay_well_formed_whatever_the_secret_is(tmp_path):
    secret = 'amp;x"}: <&'
    run = new_run(tmp_path, "integration", Redactor([secret, "amp;y"]))
    node = ET.Element("testcase", name=f"test[{secret}]", file="&y")
    ET.SubElement(node, "failure", message=secret).text = f"{secret} & &y"
    ET.ElementTree(node).write(run.folder / "junit.xml")
    (run.folder / "a.json").write_text(json.dumps({"k": [secret, "\\n"], secret: 1}))
    (run.folder / "b.jsonl").write_text(json.dumps([secret]) + "\n" + json.dumps({"a": 1}) + "\n")
    (run.folder / "c.json").write_text(f"no JSON: {secret}")
    run.mask_files()
    found = ET.parse(run.folder / "junit.xml").getroot()  # noqa: S314 - made above
    assert (found.get("name"), found.get("file")) == (f"test[{MASK}]", "&y")
    assert (found[0].get("message"), found[0].text) == (MASK, f"{MASK} & &y")
    assert json.loads((run.folder / "a.json").read_text()) == {"k": [MASK, "\\n"], MASK: 1}
    lines = (run.folder / "b.jsonl").read_text().splitlines()
    assert [json.loads(one) for one in lines] == [[MASK], {"a": 1}]
    assert (run.folder / "c.json").read_text() == f"no JSON: {MASK}"


def test_files_that_are_no_text_are_masked_and_keep_their_size(run):
    data = b"\xff\x00canary-value\xfe"
    (run.folder / "binary").write_bytes(data)
    (run.folder / "latin").write_bytes(b"\xffcanary-value")
    run.mask_files()
    assert (run.folder / "binary").read_bytes() == b"\xff\x00************\xfe"
    assert (run.folder / "latin").read_bytes() == b"\xff********"


def test_names_of_files_and_folders_are_masked(run):
    for name in ("canary-value", "canary%2Dvalue"):
        (run.folder / f"of-{name}").mkdir()
        (run.folder / f"of-{name}" / "canary-value.txt").write_text("x")
    run.mask_files()
    names = sorted(str(path.relative_to(run.folder)) for path in run.folder.rglob("*.txt"))
    assert names == ["of-masked-2/masked.txt", "of-masked/masked.txt"]


def test_what_json_has_no_form_for_is_masked_as_well(run):
    run.write_json("paths.json", {("a", 1): Path("/srv/canary-value"), "n": None})
    assert "canary-value" not in (run.folder / "paths.json").read_text()


def test_a_secret_that_goes_across_lines_is_masked(tmp_path):
    run = new_run(tmp_path, "integration", Redactor(["ab\ncd"]))
    run.write_lines("a.log", iter(["x ab", "cd", "ef"]))
    assert (run.folder / "a.log").read_text() == f"x {MASK}\n{MASK}\nef\n"


class Gone:
    def logs(self, **_options):
        raise NoStack("it is gone")


def keep(run, test, **more):
    kept = keep_failure(
        SimpleNamespace(running=Gone()), run, test=test, began=Moment(), called=0.0, **more
    )
    return kept.files[0].parent.name


def test_the_folder_of_a_failing_test_does_not_tell_the_secret_in_its_id(run):
    tests = ("test_a.py::test[canary-value]", "test_a.py::test[canary%2Dvalue]")
    folders = [keep(run, test, report="assert canary-value") for test in tests]
    assert len(set(folders)) == 2
    assert all(re.fullmatch(r"test_a\.py-test-masked-[0-9a-f]{8}", name) for name in folders)


@given(st.lists(st.text("aA/- .é", max_size=4), unique=True))
def test_no_two_tests_have_one_folder(tmp_path_factory, ids):
    run = new_run(tmp_path_factory.mktemp("runs"), "integration", Redactor())
    folders = {keep(run, f"t.py::test[{part}]", report=part) for part in ids}
    assert len(folders) == len(ids)


def test_each_phase_and_each_try_of_a_test_has_a_folder_of_its_own(run):
    tries = [("call", "first"), ("teardown", "after it"), ("call", "second"), ("teardown", "last")]
    folders = [keep(run, "t.py::test", phase=phase, report=text) for phase, text in tries]
    assert [re.sub("[0-9a-f]{8}", "#", name) for name in folders] == [
        "t.py-test-#", "t.py-test-#.teardown", "t.py-test-#.2", "t.py-test-#.teardown.2",
    ]  # fmt: skip
    texts = [(run.folder / "failures" / name / "failure.txt").read_text() for name in folders]
    assert texts == [f"t.py::test ({phase})\n\n{text}" for phase, text in tries]


def test_all_processes_of_a_run_write_to_one_folder(tmp_path):
    name = run_name(NOON)
    first, second = (new_run(tmp_path, "pytest", Redactor(), name=name) for _ in range(2))
    assert first.folder == second.folder == (tmp_path / "pytest" / "latest").resolve()


def test_the_folder_of_a_run_is_never_the_one_that_is_dropped(tmp_path):
    for minute in range(KEPT_RUNS):
        new_run(tmp_path, "pytest", Redactor(), now=NOON + timedelta(minutes=minute))
    run = new_run(tmp_path, "pytest", Redactor(), name=run_name(NOON - timedelta(days=1)))
    assert run.folder.is_dir()
    assert len(list((tmp_path / "pytest").glob("202*"))) == KEPT_RUNS


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
