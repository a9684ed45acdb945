"""What `up` finds changed since a stack was started: the stack file, the settings, the sources."""

import os

import pytest

from stackproof.plan import outline
from stackproof.stack import service_files
from stackproof.stack.changes import changes
from stackproof.stack.resolved import StackRequest, resolve
from stackproof.stack.running_record import read_about, write_about
from stackproof_redaction import Redactor

COMPOSE = """\
services:
  worker:
    build: .
    command: python worker.py
    environment: {GREETING: hello}
    ports: ["28544:8000"]
    user: "1000"
    hostname: somewhere
    tmpfs: [/scratch]
    extra_hosts: ["there:10.0.0.1"]
    read_only: false
    volumes: ["./settings.ini:/settings.ini:ro"]
  other:
    build: {context: ., dockerfile: Other}
    command: python other.py
"""


class Project:
    def __init__(self, folder):
        self.folder = folder
        for name, text in {
            "compose.yaml": COMPOSE,
            "config/shop.yaml": "stack: shop\ncompose_files: [../compose.yaml]\n",
            "Dockerfile": "FROM python:3.12\nWORKDIR /app\nCOPY worker.py lib/ ./\n",
            "Other": "FROM python:3.12\nCOPY other.py .\n",
            "requirements.txt": "",
            "settings.ini": "a=1\n",
            "worker.py": "print(1)\n",
            "other.py": "print(2)\n",
            "lib/part.py": "",
        }.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def edit(self, old, new):
        path = self.folder / "compose.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def resolve(self, engine="process"):
        state = {"STACKPROOF_STATE_DIR": str(self.folder / "state")}
        return resolve(StackRequest(self.folder, state, stack="shop", engine=engine))

    def since(self, before, engine="process"):
        """What has changed since a record was made, for a stack that has run since then."""
        return changes(before, self.resolve(engine).of_run(before).record())


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_nothing_has_changed_where_nothing_was_edited(project, engine):
    before = project.resolve(engine).record()
    project.write("worker.py", "print(1)\n")  # another time, the same content
    project.write("__pycache__/worker.cpython-312.pyc", "x")
    project.edit("services:\n", "# a comment moves every line\nservices:\n")
    assert not project.since(before, engine)


EDITS = {
    'ports: ["28544:8000"]': 'ports: ["28545:8000"]',
    'user: "1000"': 'user: "1001"',
    "hostname: somewhere": "hostname: elsewhere",
    "tmpfs: [/scratch]": "tmpfs: [/other]",
    "there:10.0.0.1": "there:10.0.0.2",
    "read_only: false": "read_only: true",
    "./settings.ini:": "./requirements.txt:",
    "GREETING: hello": "GREETING: hi",
    "python worker.py": "python worker.py --fast",
}


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize("old", EDITS)
def test_an_edit_of_the_stack_file_changes_the_service_and_is_told(project, engine, old):
    before = project.resolve(engine).record()
    project.edit(old, EDITS[old])
    found = project.since(before, engine)
    assert found.services == ["worker"]
    assert found.lines
    assert not any("secret" in line or "{" in line for line in found.lines), found.lines
    if "ports" in old:
        assert "worker: port 8000: 28544 → 28545" in found.lines


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize(
    ("name", "services"),
    [("worker.py", ["worker"]), ("lib/part.py", ["worker"]), ("settings.ini", ["worker"]),
     ("Dockerfile", ["worker"]), ("other.py", ["other"])],
)  # fmt: skip
def test_a_changed_source_changes_the_services_that_run_it(project, engine, name, services):
    before = project.resolve(engine).record()
    project.write(name, (project.folder / name).read_text() + "# more\n")
    found = project.since(before, engine)
    short = name.rsplit("/", 1)[-1]
    assert set(services) <= set(found.services)
    told = f"{services[0]}: 1 file changed since it was started ({short})"
    assert told in found.lines
    if engine == "process":
        assert found.lines == [told]


def test_a_changed_lock_changes_all_that_it_installs(project):
    before = project.resolve().record()
    project.write("requirements.txt", "six==1.17.0\n")
    assert project.since(before).services == ["worker", "other"]


def test_another_python_and_other_packages_of_a_dockerfile_are_told_in_its_words(project):
    project.write("Other", "FROM python:3.12\nRUN pip install six\nCOPY other.py .\n")
    before = project.resolve().record()
    project.write("Other", "FROM python:3.13\nRUN pip install -U six\nCOPY other.py .\n")
    assert project.since(before).lines == [
        "other: 1 file changed since it was started (Other)",
        "other: runtime installs: `pip install six` → `pip install -U six`",
        "other: runtime python: 3.12 → 3.13",
    ]


def test_what_the_builder_leaves_out_changes_nothing(project):
    project.write("Dockerfile", "FROM python:3.12\nCOPY . .\n")
    project.write(".dockerignore", "notes\n")
    before = project.resolve().record()
    project.write("notes/today.txt", "x")
    assert not project.since(before)
    project.write("more.py", "x")
    assert project.since(before).services == ["worker"]


def test_removed_and_new_services_are_told(project):
    before = project.resolve().record()
    project.edit("  other:\n", "  third:\n")
    found = project.since(before)
    assert (found.removed, found.services) == (["other"], ["third"])
    assert found.lines == ["other: removed from the stack", "third: new"]


def test_a_free_port_is_kept_and_a_published_one_is_the_files(project):
    resolved = project.resolve().with_ports({("worker", 8000): 20001})
    assert project.resolve().of_run(resolved.record()).plan.ports == {("worker", 8000): 28544}
    project.edit('["28544:8000"]', '["8000"]')
    assert project.resolve().of_run(resolved.record()).plan.ports == {("worker", 8000): 20001}


def test_a_record_is_read_as_it_was_written(project):
    resolved = project.resolve()
    record = resolved.record(complete=True)
    resolved.run.path.mkdir(parents=True, mode=0o700)
    write_about(resolved.run, record)
    assert not changes(read_about(resolved.run), record)
    assert read_about(resolved.run).ports == record.ports


def test_a_service_restarts_with_those_that_it_depends_on_so(project):
    project.edit("command: python other.py", "command: python other.py\n    depends_on: "
                 "{worker: {condition: service_started, restart: true}}")  # fmt: skip
    plan = project.resolve().plan
    assert plan.restarted_with(["worker"]) == ["worker", "other"]
    assert plan.restarted_with(["other"]) == ["other"]


@pytest.mark.parametrize("settled", [-1.0, 60.0])
def test_an_edit_is_seen_though_length_and_time_of_the_file_stay(tmp_path, monkeypatch, settled):
    monkeypatch.setattr(service_files, "SETTLED", settled)
    path = tmp_path / "worker.py"
    path.write_text("print(1)")
    os.utime(path, ns=(10**18, 10**18))
    before = service_files.digest(path), service_files.digest(path)
    state = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == state:  # the clock of the file system ticks
        path.write_text("print(2)")
        os.utime(path, ns=(10**18, 10**18))
    assert before[0] == before[1] != service_files.digest(path)


def test_what_is_read_once_is_planned_from_one_reading_and_read_anew_the_next_time(
    project, monkeypatch
):
    read, make_draft = [], outline.make_draft
    monkeypatch.setattr(
        outline, "make_draft", lambda *given: read.append(given) or make_draft(*given)
    )
    resolved = project.resolve()
    of_one = len(read)
    resolved.with_ports(resolved.plan.ports).needed_ports()
    assert of_one == len(resolved.plan.services) == len(read)
    project.resolve()
    assert len(read) == 2 * of_one


def test_what_is_as_it_was_is_not_masked_again(project, monkeypatch):
    before = project.resolve().record()
    again = project.resolve()
    with monkeypatch.context() as during:  # the plugin masks reports by the same
        during.setattr(Redactor, "value", None)
        record = again.record(known=before)
    assert record.services == before.services


@pytest.mark.parametrize("change", ["a secret more", "another value"])
def test_what_has_changed_or_is_a_secret_by_now_is_masked_anew(project, change):
    project.edit("GREETING: hello", "GREETING: hello-canary")
    before = project.resolve().record()
    if change == "a secret more":
        project.write(
            "config/shop.yaml",
            "stack: shop\ncompose_files: [../compose.yaml]\nsecrets: [GREETING]\n",
        )
        project.write(".env.integration", "GREETING=hello-canary\n")
    else:
        project.edit("GREETING: hello-canary", "GREETING: other-canary")
    after = project.resolve().record(known=before)
    assert after.services == project.resolve().record().services
    assert after.services["worker"]["plan"] != before.services["worker"]["plan"]
    assert after.services["other"] == before.services["other"] or change == "a secret more"
