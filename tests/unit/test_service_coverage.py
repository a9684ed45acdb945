"""Coverage of services: where it is measured, and by whom."""

import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from stackproof.artifacts.service_coverage import DATA, STACKS, combine, coverage_environment
from stackproof.stack.resolved import StackRequest, resolve
from stackproof.suites.measuring import report_coverage

LOW = "price = 1\nif price > 2:\n    price = 2\n"
HIGH = LOW.replace("1", "3")


def measured(folder, place, environment, text=LOW):
    """Run a module as a service would that has its code at another path than this machine."""
    place.mkdir(exist_ok=True)
    (place / "shop.py").write_text(text)
    subprocess.run(
        [sys.executable, "-B", "-c", "import shop"], check=True, cwd=folder,
        env={**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}:{place}"},
    )  # fmt: skip


def test_what_a_service_has_run_at_its_own_path_counts_for_the_source_here(tmp_path):
    source, place, folder = tmp_path / "source", tmp_path / "app", tmp_path / "coverage"
    source.mkdir()
    (source / "shop.py").write_text("price = 1\nif price > 2:\n    price = 2\n")
    environment = coverage_environment(folder, "shop-e2e", "web", {source: [str(place)]})
    measured(tmp_path, place, environment)
    assert combine(folder).startswith("coverage of the services: 67 %")
    text = Path(folder, "coverage.txt").read_text()
    assert f"{source}/shop.py" in text or "source/shop.py" in text
    assert "app/shop.py" not in text


def reported(folder):
    """What the report says of each file."""
    files = [line.split() for line in Path(folder, "coverage.txt").read_text().splitlines()]
    return [(Path(words[0]).parent.name, *words[1:]) for words in files if "shop.py" in words[0]]


def test_what_several_stacks_have_run_is_one_report(tmp_path):
    folder = tmp_path / "coverage"
    for project, name in [("shop-1", "web"), ("shop-2", "web"), ("stock-1", "back")]:
        source, place = tmp_path / name, tmp_path / f"app-{project}"
        source.mkdir(exist_ok=True)
        (source / "shop.py").write_text("price = 1\nif price > 2:\n    price = 2\n")
        seen = {source: [str(place)]}
        measured(tmp_path, place, coverage_environment(folder, project, name, seen))
    assert combine(folder).startswith("coverage of the services: 67 %")
    assert reported(folder) == [("back", "3", "1", "67%", "3"), ("web", "3", "1", "67%", "3")]
    assert {path.name for path in folder.iterdir()} == {"coverage.txt", "coverage.xml"}


def test_files_that_two_services_see_at_one_path_are_told_apart(tmp_path):
    folder, place = tmp_path / "coverage", tmp_path / "app"
    for service, text in [("web", LOW), ("worker", HIGH)]:
        source = tmp_path / service
        source.mkdir()
        (source / "shop.py").write_text(text)
        seen = {source: [str(place)]}
        measured(tmp_path, place, coverage_environment(folder, "shop-e2e", service, seen), text)
    assert combine(folder).startswith("coverage of the services: 83 %")
    assert reported(folder) == [("web", "3", "1", "67%", "3"), ("worker", "3", "0", "100%")]


def test_other_users_may_add_measurements_only_where_services_run_as_others(tmp_path):
    modes = []
    for by_others in (False, True):
        coverage_environment(tmp_path, str(by_others), "web", {}, by_others=by_others)
        folder = tmp_path / STACKS / str(by_others) / "web"
        modes.append(stat.S_IMODE((folder / DATA).stat().st_mode))
    assert modes[1] == 0o1733
    assert modes[0] & 0o022 == 0


@pytest.mark.parametrize(
    ("line", "folder", "is_measured"),
    [
        ("coverage: true", "measured", True),
        ("coverage: true", None, False),
        ("", "measured", False),
    ],
)
def test_an_isolated_stack_is_measured_where_its_session_and_its_own_config_want_it(
    tmp_path, line, folder, is_measured
):
    (tmp_path / "config").mkdir()
    config = f"stack: shop\ncompose_files: [../compose.yaml]\n{line}\n"
    (tmp_path / "config" / "shop.yaml").write_text(config)
    command = "{command: [sleep, '600'], environment_of: stackproof}"
    stack = f"services: {{a: {{image: any, x-stackproof: {command}}}}}"
    (tmp_path / "compose.yaml").write_text(stack)
    place = None if folder is None else tmp_path / folder
    request = StackRequest(tmp_path, {}, isolated=True, coverage=place)
    assert resolve(request).settings.coverage is is_measured


@pytest.mark.parametrize(("coverage", "lines"), [(True, 1), (False, 0)])
def test_a_session_whose_engine_does_not_measure_says_so_where_it_was_asked_for(coverage, lines):
    resolved = SimpleNamespace(
        request=SimpleNamespace(coverage=None),
        settings=SimpleNamespace(coverage=coverage),
        plan=SimpleNamespace(engine="compose"),
    )
    told = []
    report_coverage(resolved, told.append)
    assert told == ["coverage of the services is not measured by the engine compose"] * lines
