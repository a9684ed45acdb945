"""`up` of a running stack: each edit reaches the containers, and nothing else is touched."""

import pytest

EDITS = [
    ("user", '"1234"', lambda found: found["Config"]["User"] == "1234"),
    ("hostname", "other", lambda found: found["Config"]["Hostname"] == "other"),
    ("read_only", "true", lambda found: found["HostConfig"]["ReadonlyRootfs"]),
    ("tmpfs", '["/scratch:size=1m"]',
     lambda found: found["HostConfig"]["Tmpfs"] == {"/scratch": "size=1m"}),
    ("extra_hosts", '["a.example:1.2.3.4"]',
     lambda found: "a.example:1.2.3.4" in found["HostConfig"]["ExtraHosts"]),
]  # fmt: skip


@pytest.fixture
def built(project, python_image):
    """Lets an image of the project's own be what the worker runs."""
    project.write("Dockerfile", f"FROM {python_image}\nCOPY app /app\n")
    text = (project.folder / "compose.yaml").read_text()
    head, worker = text.split("  worker:\n")
    worker = worker.replace(f"image: {python_image}", "build: .")
    worker = worker.replace('    volumes: ["./app:/app:ro"]\n', "")
    project.write("compose.yaml", f"{head}  worker:\n{worker}")
    project.invoke("up")
    return project


def attributes(project, service):
    container = project.container(service)
    container.reload()
    return container.attrs


def test_every_edit_of_the_stack_file_and_of_a_built_source_reaches_the_containers(built):
    built.replace("app/loop.py", "at work", "at other work")
    keys = "".join(f"\n    {key}: {value}" for key, value, _ in EDITS)
    built.replace("compose.yaml", "depends_on: {web: {condition: service_healthy}}", keys.strip())
    said = built.invoke("up")
    assert "worker: 1 file changed since it was started (loop.py)" in said
    assert all(f"worker: {key.replace('_', ' ')}" in said for key, _, _ in EDITS)
    worker = attributes(built, "worker")
    assert [key for key, _, is_taken in EDITS if not is_taken(worker)] == []
    assert b"at other work" in built.container("worker").logs()
    said = built.invoke("logs", "worker")
    assert said.index("| at work") < said.index("| at other work")
    assert "nothing has changed" in built.invoke("up")


def test_a_build_that_fails_leaves_what_runs_and_a_removed_service_is_taken_away(built):
    web, before = (attributes(built, name)["Id"] for name in ("web", "worker"))
    built.append("Dockerfile", "RUN false\n")
    assert "exit code: 1" in built.invoke("up", code=1)
    worker = attributes(built, "worker")
    assert (worker["Id"], worker["State"]["Status"]) == (before, "running")
    text = (built.folder / "compose.yaml").read_text()
    built.write("compose.yaml", text[: text.index("  worker:")] + "volumes: {kept: {}}\n")
    assert "worker: removed from the stack" in built.invoke("up")
    assert built.container("worker") is None
    assert attributes(built, "web")["Id"] == web
    built.invoke("status")


def test_a_service_that_ends_with_status_0_is_not_well(built):
    built.replace("app/loop.py", "while True:", "for _ in range(2):")
    built.invoke("up")
    built.container("worker").wait()
    assert "exited with status 0" in built.invoke("status", code=1)


def test_a_service_that_has_completed_is_not_run_again_when_another_one_is_restarted(project):
    project.replace("compose.yaml", "python, /app/loop.py", "python, -c, 'print(\"migrated\")'")
    project.replace(project.config, "compose_files:", "one_shots: [worker]\ncompose_files:")
    project.invoke("up")
    project.invoke("restart", "web")
    project.invoke("up")
    assert project.container("worker").logs().split() == [b"migrated"]
    project.invoke("restart", "worker")
    assert project.container("worker").logs().split() == [b"migrated"] * 2
