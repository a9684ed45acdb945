"""A service's virtualenv is made from its lock, once, and shared by all that have the same lock."""

import contextlib
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.environments.conftest import from_file

from stackproof.engines.process.images.search import program_version
from stackproof.engines.process.python import environments, interpreters
from stackproof.engines.process.python.environments import ensure_environment
from stackproof.engines.process.python.project_folder import project_folder
from stackproof.errors import CommandFailed, ConfigError, EngineUnavailable
from stackproof.plan.runtime import Install, LocalProject

LOCK = """\
iniconfig==2.1.0 \\
    --hash=sha256:9deba5723312380e77435581c6bf4935c94cbfab9b1ed33ef8d238ea168eb760
"""


PYPROJECT = """\
[project]
name = "Acme.Shop"
version = "4.5.6"
dependencies = ["six>=1.16"]
optional-dependencies = {cli = ["iniconfig"]}
scripts = {shop-admin = "shop.cli:App.main"}
entry-points."shop.plugins" = {mine = "shop.cli:App"}
"""
SETUP = (
    "from setuptools import setup\nsetup(name='shop-of-old', version='7.1', py_modules=['shop'])\n"
)


def version_of(made, name):
    code = f"from importlib.metadata import version; print(version({name!r}))"
    done = subprocess.run([made.python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


class Recorder:
    """Does not run steps, but leaves the virtualenv's folder as uv would."""

    def __init__(self):
        self.steps = []
        self.exports = ""

    def __call__(self, step):
        self.steps.append(step)
        if "venv" in step.argv:
            Path(step.argv[-1]).mkdir(parents=True)
        if "export" in step.argv:
            Path(step.argv[-1]).write_text(self.exports)

    def arguments(self, number):
        return self.steps[number].argv[1:]


@pytest.fixture
def recorder():
    return Recorder()


def test_what_the_lock_names_can_be_imported(runtime, cache, runner, lock):
    lock.write_text(LOCK)
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


def test_two_projects_with_the_same_lock_share_it(runtime, cache, recorder, tmp_path, lock):
    other = tmp_path / "other"
    other.mkdir()
    (other / "requirements.txt").write_text(lock.read_text())
    also = replace(runtime, project=other, installs=(from_file(other / "requirements.txt"),))
    first = ensure_environment(runtime, cache, recorder)
    assert ensure_environment(also, cache, recorder).path == first.path


def test_another_lock_gets_another_one(runtime, cache, recorder, lock):
    first = ensure_environment(runtime, cache, recorder)
    lock.write_text("six\n")
    assert ensure_environment(runtime, cache, recorder).path != first.path


def test_a_file_that_the_lock_includes_counts_as_part_of_it(runtime, cache, recorder, lock):
    lock.write_text("-r base.txt\n")
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


def test_hashes_are_required_where_the_lock_has_them(runtime, cache, recorder, lock):
    lock.write_text(LOCK)
    ensure_environment(runtime, cache, recorder)
    assert "--require-hashes" in recorder.arguments(1)


def test_a_lock_without_hashes_is_installed_as_it_is(runtime, cache, recorder, lock):
    lock.write_text("iniconfig\n")
    ensure_environment(runtime, cache, recorder)
    assert "--require-hashes" not in recorder.arguments(1)


def test_a_lock_of_uv_is_exported_first(runtime, cache, recorder):
    lock = runtime.project / "uv.lock"
    lock.write_text("version = 1\n")
    locked = Install("uv", "uv sync", lock=lock, options=("--no-dev",))
    recorder.exports = LOCK
    ensure_environment(replace(runtime, installs=(locked,)), cache, recorder)
    assert recorder.arguments(1)[0] == "export"
    assert {"--frozen", "--no-dev"} <= set(recorder.arguments(1))
    assert "--require-hashes" in recorder.arguments(2)


def test_a_project_gets_what_its_pyproject_declares(runtime, cache, recorder, project):
    (project / "pyproject.toml").write_text(PYPROJECT)
    declared = Install("pip", "pyproject.toml", projects=(LocalProject(project, ("cli",)),))
    made = ensure_environment(replace(runtime, installs=(declared,)), cache, recorder)
    requirements = Path(recorder.arguments(1)[-1]).read_text()
    assert requirements.splitlines() == ["six>=1.16", "iniconfig"]
    assert made.projects == (project,)


def test_a_project_without_anything_gets_an_empty_one(runtime, cache, recorder):
    ensure_environment(replace(runtime, installs=()), cache, recorder)
    assert len(recorder.steps) == 1


def test_everything_that_decides_about_an_installation_is_part_of_its_key(
    runtime, cache, recorder, project, lock
):
    constraints = project / "constraints.txt"
    constraints.write_text("six<2\n")
    lock.write_text("six\n")
    install = from_file(lock)
    others = [
        replace(runtime, has_base_packages=True),
        replace(runtime, installs=(install, install)),
        *(
            replace(runtime, installs=(replace(install, **changed),))
            for changed in (
                {"packages": ("iniconfig",)},
                {"constraints": (constraints,)},
                {"options": ("--pre",)},
                {"environment": {"PIP_INDEX_URL": "http://127.0.0.1:1/simple"}},
            )
        ),
    ]
    made = [ensure_environment(other, cache, recorder).path for other in (runtime, *others)]
    assert len(set(made)) == len(made)


def test_a_project_that_only_its_builder_knows_is_installed_from_a_copy(
    runtime, cache, runner, project
):
    (project / "setup.py").write_text(SETUP)
    (project / "shop.py").write_text("")
    before = sorted(path.name for path in project.iterdir())
    built = Install("pip", "pip install .", projects=(LocalProject(project),))
    made = ensure_environment(replace(runtime, installs=(built,)), cache, runner)
    assert version_of(made, "shop-of-old") == "7.1"
    assert sorted(path.name for path in project.iterdir()) == before
    (project / "setup.py").write_text(SETUP.replace("7.1", "7.2"))
    again = ensure_environment(replace(runtime, installs=(built,)), cache, runner)
    assert version_of(again, "shop-of-old") == "7.2"


def test_a_dependency_that_uv_takes_from_another_folder_is_never_an_old_one(
    runtime, cache, runner, project
):
    for root in (project / "web", project / "shared"):
        root.mkdir()
    (project / "pyproject.toml").write_text("[tool.uv.workspace]\nmembers = ['web', 'shared']\n")
    (project / "web" / "pyproject.toml").write_text(
        "[project]\nname = 'web'\nversion = '1'\ndependencies = ['shared']\n"
        "[tool.uv.sources]\nshared = {workspace = true}\n"
    )
    (project / "shared" / "setup.py").write_text(SETUP.replace("shop-of-old", "shared"))
    (project / "shared" / "pyproject.toml").write_text(
        "[project]\nname = 'shared'\ndynamic = ['version']\n"
    )
    (project / "shared" / "shop.py").write_text("")
    wanted = Install("pip", "uv pip install .", projects=(LocalProject(project / "web"),))
    runtime = replace(runtime, installs=(wanted,))
    made = ensure_environment(runtime, cache, runner)
    assert version_of(made, "shared") == "7.1"
    (project / "shared" / "setup.py").write_text(
        "# changed\n" + SETUP.replace("shop-of-old", "shared")
    )
    assert ensure_environment(runtime, cache, runner).path != made.path


def test_the_packages_of_an_official_image_are_there_first(runtime, cache, runner):
    runtime = replace(runtime, installs=(), has_base_packages=True)
    made = ensure_environment(runtime, cache, runner)
    names = {line.partition("==")[0] for line in made.freeze.read_text().split()}
    older = {"setuptools", "wheel"} if sys.version_info < (3, 12) else set()
    assert names == {"pip", *older}
    assert made.floating == ()


def test_what_nothing_pins_is_known_and_all_is_kept(runtime, cache, runner, lock):
    lock.write_text("iniconfig>=2  # a range\nsix==1.17.0\n")
    made = ensure_environment(runtime, cache, runner)
    assert made.floating == ("iniconfig",)
    kept = made.freeze.read_text().splitlines()
    assert "six==1.17.0" in kept
    assert any(line.startswith("iniconfig==2.") for line in kept)
    assert ensure_environment(runtime, cache, runner).floating == ("iniconfig",)


def test_what_has_hashes_is_pinned(runtime, cache, runner, lock):
    lock.write_text(LOCK)
    assert ensure_environment(runtime, cache, runner).floating == ()


def test_a_failure_has_the_last_lines_of_uv_and_the_cause(runtime, cache, runner, lock):
    lock.write_text(LOCK.replace("9deba", "00000"))
    with pytest.raises(CommandFailed, match=r"not have the hash that `requirements") as caught:
        ensure_environment(runtime, cache, runner)
    assert "hash" in caught.value.output.lower()
    assert "lock" in caught.value.remedy
    assert not list(cache.glob("virtualenvs/*/bin"))


def test_a_path_that_is_not_there_is_no_matter_of_the_network(runtime, cache, runner, lock):
    lock.write_text("six\n\n./packages/shraed\n")
    with pytest.raises(ConfigError, match=r"no Python project at .*/packages/shraed") as caught:
        ensure_environment(runtime, cache, runner)
    assert (caught.value.source, caught.value.line) == (lock, 3)


def test_an_index_that_does_not_answer_is(runtime, cache, runner, lock):
    lock.write_text("six==1.17.0\n")
    nowhere = {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "UV_CACHE_DIR": str(cache / "uv"),
    }
    install = from_file(lock, environment=nowhere)
    with pytest.raises(CommandFailed, match="the index can't be reached") as caught:
        ensure_environment(replace(runtime, installs=(install,)), cache, runner)
    assert "network" in caught.value.remedy


def test_a_project_file_that_is_no_toml_is_a_config_error(runtime, cache, recorder, project):
    (project / "pyproject.toml").write_text("[project\n")
    broken = Install("pip", "pyproject.toml", projects=(LocalProject(project),))
    with pytest.raises(ConfigError, match="not TOML"):
        ensure_environment(replace(runtime, installs=(broken,)), cache, recorder)


# What a project adds


def test_an_installed_project_is_found_with_its_version_entry_points_and_programs(
    runtime, cache, runner, project
):
    (project / "pyproject.toml").write_text(PYPROJECT)
    (project / "shop").mkdir()
    (project / "shop" / "cli.py").write_text(
        "import sys\nfrom importlib.metadata import entry_points, version\nclass App:\n"
        "  @staticmethod\n  def main():\n"
        "    print(sys.argv[1], version('acme-shop'), *entry_points(group='shop.plugins').names)\n"
        "    return 3\n"
    )
    made = ensure_environment(replace(runtime, installs=()), cache, runner)
    added = project_folder(project, [project], made.python, cache)
    done = subprocess.run(
        [added.bin / "shop-admin", "it's"],
        env={"PYTHONPATH": f"{project}:{added.site}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("it's 4.5.6 mine\n", 3)


def test_a_project_that_is_not_installed_has_its_programs_and_no_metadata(
    runtime, cache, recorder, project
):
    (project / "pyproject.toml").write_text(PYPROJECT)
    made = ensure_environment(runtime, cache, recorder)
    added = project_folder(project, [], made.python, cache)
    assert [path.name for path in added.bin.iterdir()] == ["shop-admin"]
    assert list(added.site.iterdir()) == []


# Interpreters


def test_without_a_wish_the_running_interpreter_is_taken(cache, recorder):
    asked = ("", f"3.{sys.version_info.minor}", str(sys.version_info.major))
    found = {str(interpreters.find_python(request, "", cache, recorder)) for request in asked}
    assert found == {sys.executable}
    assert recorder.steps == []


def test_a_range_is_met_by_an_installed_version(cache, recorder):
    minor = sys.version_info.minor
    found = interpreters.find_python(f">=3.{minor},<3.{minor + 1}", "", cache, recorder)
    assert program_version(found).startswith(f"3.{minor}.")
    assert recorder.steps == []


def test_a_version_that_nobody_has_is_downloaded_or_refused_with_the_ways_out(cache, recorder):
    with pytest.raises(EngineUnavailable, match=r"no Python 3\.98 .*FROM python:3\.98") as caught:
        interpreters.find_python("3.98", "FROM python:3.98", cache, recorder)
    assert [step.argv[1:3] for step in recorder.steps] == [("python", "install")]
    assert f"3.{sys.version_info.minor}." in "\n".join(caught.value.checked)
    for way in ("uv python install 3.98", "--engine compose", "x-stackproof"):
        assert way in caught.value.remedy


def test_another_patch_of_an_images_version_stands_in_for_it(cache, recorder):
    wanted = f"3.{sys.version_info.minor}.99"
    found = interpreters.find_python(wanted, f"FROM python:{wanted}", cache, recorder)
    assert program_version(found).startswith(f"3.{sys.version_info.minor}.")
    with pytest.raises(EngineUnavailable):
        interpreters.find_python(wanted, "x-stackproof.python", cache, recorder)


def test_why_a_download_failed_is_told(cache):
    def runner(step):
        raise CommandFailed(step.name, exit_code=1, output="error: x\n  cause: dns error\n")

    with pytest.raises(EngineUnavailable) as caught:
        interpreters.find_python("3.98", "", cache, runner)
    assert "uv's download: cause: dns error" in caught.value.checked


def test_a_version_is_not_taken_for_one_that_begins_alike(cache, recorder):
    with pytest.raises(EngineUnavailable, match=r"no Python 3\.1 "):
        interpreters.find_python("3.1", "", cache, recorder)


def test_a_missing_uv_is_named_with_the_places_where_it_was_looked_for(monkeypatch):
    def missing():
        raise FileNotFoundError("Could not find it in:\n - /opt/bin\n - /root/.local/bin\n")

    monkeypatch.setattr("uv.find_uv_bin", missing)
    with pytest.raises(EngineUnavailable) as caught:
        interpreters.uv_program()
    assert caught.value.what == "uv, which makes the virtualenvs of services, was not found"
    assert caught.value.checked == ("/opt/bin", "/root/.local/bin")
    assert caught.value.remedy == "install the package `uv` beside stackproof"
