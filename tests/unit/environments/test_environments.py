"""A service's virtualenv is made from its lock, once, and shared by all that have the same lock."""

import contextlib
import subprocess
import sys
import threading
from dataclasses import replace

import pytest

from stackproof.engines.process import environments, interpreters
from stackproof.engines.process.environments import ensure_environment, script_folder
from stackproof.errors import CommandFailed, ConfigError, EngineUnavailable

LOCK = """\
iniconfig==2.1.0 \\
    --hash=sha256:9deba5723312380e77435581c6bf4935c94cbfab9b1ed33ef8d238ea168eb760
"""


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class Recorder:
    """Does not run steps, but leaves the virtualenv's folder as uv would."""

    def __init__(self):
        self.steps = []

    def __call__(self, step):
        self.steps.append(step)
        if "venv" in step.argv:
            from pathlib import Path

            Path(step.argv[-1]).mkdir(parents=True)

    def arguments(self, number):
        return self.steps[number].argv[1:]


@pytest.fixture
def recorder():
    return Recorder()


def test_what_the_lock_names_can_be_imported(runtime, cache, runner):
    runtime.lock.write_text(LOCK)
    made = ensure_environment(runtime, cache, runner)
    code = "import iniconfig, sys; print(sys.prefix)"
    done = subprocess.run([made.python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(made.path)
    assert made.installed


def test_it_is_made_once(runtime, cache, runner):
    first = ensure_environment(runtime, cache, runner)
    runner.steps.clear()
    second = ensure_environment(runtime, cache, runner)
    assert (second.path, second.installed, runner.steps) == (first.path, False, [])


def test_two_projects_with_the_same_lock_share_it(runtime, cache, recorder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "requirements.txt").write_text(runtime.lock.read_text())
    also = replace(runtime, project=other, lock=other / "requirements.txt")
    first = ensure_environment(runtime, cache, recorder)
    assert ensure_environment(also, cache, recorder).path == first.path


def test_another_lock_gets_another_one(runtime, cache, recorder):
    first = ensure_environment(runtime, cache, recorder)
    runtime.lock.write_text("six\n")
    assert ensure_environment(runtime, cache, recorder).path != first.path


def test_a_file_that_the_lock_includes_counts_as_part_of_it(runtime, cache, recorder):
    runtime.lock.write_text("-r base.txt\n")
    (runtime.project / "base.txt").write_text("six==1.16.0\n")
    first = ensure_environment(runtime, cache, recorder)
    (runtime.project / "base.txt").write_text("six==1.17.0\n")
    assert ensure_environment(runtime, cache, recorder).path != first.path


def test_a_build_that_was_killed_is_done_again(runtime, cache, recorder):
    path = ensure_environment(runtime, cache, recorder).path
    (path / ".complete").unlink()
    (path / "half").write_text("")
    made = ensure_environment(runtime, cache, recorder)
    assert made.installed
    assert not (path / "half").exists()


def test_several_at_once_make_it_once(runtime, cache, recorder):
    gate = threading.Barrier(4)

    def ask():
        gate.wait()
        ensure_environment(runtime, cache, recorder)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([step for step in recorder.steps if "venv" in step.argv]) == 1


def test_one_that_was_made_while_we_waited_is_taken(runtime, cache, recorder, monkeypatch):
    path = ensure_environment(runtime, cache, recorder).path
    (path / ".complete").unlink()
    recorder.steps.clear()

    @contextlib.contextmanager
    def another_process_is_done(_path):
        (path / ".complete").write_text("")
        yield

    monkeypatch.setattr(environments, "locked", another_process_is_done)
    assert not ensure_environment(runtime, cache, recorder).installed
    assert recorder.steps == []


def test_hashes_are_required_where_the_lock_has_them(runtime, cache, recorder):
    runtime.lock.write_text(LOCK)
    ensure_environment(runtime, cache, recorder)
    assert "--require-hashes" in recorder.arguments(1)


def test_a_lock_without_hashes_is_installed_as_it_is(runtime, cache, recorder):
    runtime.lock.write_text("iniconfig\n")
    ensure_environment(runtime, cache, recorder)
    assert "--require-hashes" not in recorder.arguments(1)


def test_a_lock_of_uv_is_exported_first(runtime, cache, recorder):
    lock = runtime.project / "uv.lock"
    lock.write_text("version = 1\n")
    ensure_environment(replace(runtime, lock=lock), cache, recorder)
    assert recorder.arguments(1)[0] == "export"
    assert "--require-hashes" in recorder.arguments(2)


def test_a_project_without_a_lock_gets_its_declared_dependencies(runtime, cache, recorder):
    (runtime.project / "pyproject.toml").write_text("[project]\ndependencies = ['six']\n")
    ensure_environment(replace(runtime, lock=None), cache, recorder)
    assert recorder.arguments(1)[-1].endswith("pyproject.toml")


def test_a_project_without_anything_gets_an_empty_one(runtime, cache, recorder):
    ensure_environment(replace(runtime, lock=None), cache, recorder)
    assert len(recorder.steps) == 1


def test_a_failure_has_the_last_lines_of_uv_and_what_to_do(runtime, cache, runner):
    runtime.lock.write_text(LOCK.replace("9deba", "00000"))
    with pytest.raises(
        CommandFailed, match="dependencies of shop could not be installed"
    ) as caught:
        ensure_environment(runtime, cache, runner)
    assert "hash" in caught.value.output.lower()
    assert "network" in caught.value.remedy


def test_a_project_file_that_is_no_toml_is_a_config_error(runtime, cache, recorder):
    (runtime.project / "pyproject.toml").write_text("[project\n")
    with pytest.raises(ConfigError, match="not TOML"):
        ensure_environment(replace(runtime, lock=None), cache, recorder)


# Programs of the project


def test_the_programs_of_the_project_are_on_its_path(runtime, cache, runner):
    (runtime.project / "pyproject.toml").write_text(
        "[project]\nscripts = {shop-admin = 'shop.cli:App.main'}\n"
    )
    (runtime.project / "shop").mkdir()
    (runtime.project / "shop" / "cli.py").write_text(
        "import sys\nclass App:\n  @staticmethod\n  def main(): print(sys.argv[1]); return 3\n"
    )
    made = ensure_environment(runtime, cache, runner)
    folder = script_folder(runtime, made, cache)
    done = subprocess.run(
        [folder / "shop-admin", "it's"],
        env={"PYTHONPATH": str(runtime.project), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("it's\n", 3)


def test_a_project_without_programs_has_no_folder_for_them(runtime, cache, recorder):
    made = ensure_environment(runtime, cache, recorder)
    assert script_folder(runtime, made, cache) is None


# Interpreters


def test_without_a_wish_the_running_interpreter_is_taken():
    assert str(interpreters.find_python("")) == sys.executable
    assert str(interpreters.find_python(f"3.{sys.version_info.minor}")) == sys.executable


def test_an_installed_interpreter_of_the_version_is_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreters, "_places", lambda _version: [tmp_path / "a", tmp_path / "b"])
    versions = {"a": "3.99.1", "b": "3.98.2"}
    monkeypatch.setattr(interpreters, "program_version", lambda path: versions[path.name])
    assert interpreters.find_python("3.98") == tmp_path / "b"


def test_an_interpreter_that_does_not_start_is_passed_over(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreters, "_places", lambda _version: [tmp_path / "shim"])
    with pytest.raises(EngineUnavailable, match=r"no Python 3\.98"):
        interpreters.find_python("3.98")


def test_a_version_is_not_taken_for_one_that_begins_alike(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreters, "_places", lambda _version: [tmp_path / "a"])
    monkeypatch.setattr(interpreters, "program_version", lambda _path: "3.91.0")
    with pytest.raises(EngineUnavailable) as caught:
        interpreters.find_python("3.9")
    assert any("3.91.0" in one for one in caught.value.checked)
