"""Two checkouts with one project name, and stacks whose files are broken or gone."""

import shutil

import pytest
from tests.toolkit.small_project import SmallProject

OTHERS = ["up --fresh", "status", "logs", "migrate", "seed", "reset", "restart",
          "exec a -- true", "test smoke", "down --force"]  # fmt: skip


@pytest.fixture
def first(tmp_path):
    made = SmallProject(tmp_path / "first", tmp_path)
    yield made
    made.end()


@pytest.fixture
def second(first, tmp_path):
    shutil.copytree(first.folder, tmp_path / "second")
    return SmallProject(tmp_path / "second", tmp_path)


def test_every_command_of_a_second_checkout_is_refused_and_names_the_first(first, second):
    first.invoke("up")
    before = first.invoke("status")
    for command in OTHERS:
        said = second.invoke(*command.split(), code=1)
        assert "shop-e2e belongs to another checkout" in said, command
        assert f"it was started from {first.folder}; this is {second.folder}" in said, command
    assert first.invoke("status") == before
    assert "shop2-e2e" in second.invoke("up", "--project", "shop2-e2e") + second.invoke("clean")
    second.invoke("down", "--project", "shop2-e2e")
    first.invoke("down")


def test_kept_data_are_neither_used_nor_removed_by_another_checkout(first, second):
    first.invoke("up")
    first.invoke("down", "--keep-data")
    for command in ["up", "up --fresh", "down"]:
        said = second.invoke(*command.split(), code=1)
        assert "the kept data of shop-e2e belong to another checkout" in said, command
    assert "using the data that were kept" in first.invoke("up")
    first.invoke("down")
    second.invoke("up")
    second.invoke("down")


def test_fresh_removes_data_that_were_kept(first):
    first.invoke("up")
    first.invoke("down", "--keep-data")
    said = first.invoke("up", "--fresh")
    assert "removed the kept data of shop-e2e" in said
    assert "going on with" not in said
    first.invoke("down")


def test_kept_data_stay_kept_when_the_start_on_them_fails(first):
    first.invoke("up")
    data = first.state / "runs" / "shop-e2e" / "data"
    (data / "mark").touch()
    first.invoke("down", "--keep-data")
    compose = first.folder / "compose.yaml"
    compose.write_text(compose.read_text().replace("sleep, ", "nonsense, "))
    assert "the data that were kept stay" in first.invoke("up", code=1)
    compose.write_text(compose.read_text().replace("nonsense, ", "sleep, "))
    assert "using the data that were kept" in first.invoke("up")
    assert (data / "mark").exists()
    first.invoke("down")


@pytest.mark.parametrize("broken", ["compose.yaml", "variable", "both"])
def test_broken_or_deleted_files_do_not_keep_a_stack_alive(first, broken):
    first.invoke("up")
    environment = {"STACKPROOF_COVERAGE": "perhaps"} if broken == "variable" else {}
    if broken == "compose.yaml":
        (first.folder / "compose.yaml").write_text("services: [")
    if broken == "both":
        shutil.rmtree(first.folder / "config")
        (first.folder / "compose.yaml").unlink()
    for command in ["status", "logs"]:
        assert "going on with what shop-e2e was started from" in first.invoke(
            command, **environment
        )
    assert "running: shop-e2e" in first.invoke("clean", **environment)
    assert "shop-e2e is down; nothing of it is left" in first.invoke("down", **environment)
    assert "ERROR" in first.invoke("down", code=1, **environment)


def test_of_several_stacks_of_a_folder_without_files_one_has_to_be_chosen(first):
    first.invoke("up")
    first.invoke("up", "--project", "shop2-e2e")
    shutil.rmtree(first.folder / "config")
    said = first.invoke("status", code=1)
    assert f"several stacks were started from {first.folder}" in said
    assert "shop-e2e, shop2-e2e" in said
    for name in ["shop-e2e", "shop2-e2e"]:
        assert f"{name} is down" in first.invoke("down", "--project", name)


def test_a_named_stack_is_ended_from_any_folder(first, tmp_path):
    first.invoke("up")
    shutil.rmtree(first.folder)
    other = SmallProject(tmp_path / "other", tmp_path)
    assert "which is gone" in other.invoke("down", code=1)
    assert "shop-e2e is down" in other.invoke("down", "--project", "shop-e2e")


def test_a_run_whose_record_cant_be_read_is_named_and_can_be_ended(first):
    first.invoke("up")
    about = first.state / "runs" / "shop-e2e" / "about.json"
    about.write_text("{}")
    assert "what it was started from can't be read" in first.invoke("up", code=1)
    assert "shop-e2e is down" in first.invoke("down", "--project", "shop-e2e")
