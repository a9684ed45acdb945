"""Images are named by content."""

import pytest

from stackproof.plan.services.image_tag import image_of
from stackproof.stack_file.model import Build, Service


@pytest.fixture
def context(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY . .\n")
    (tmp_path / "app.py").write_text("print(1)\n")
    (tmp_path / ".dockerignore").write_text("# notes\nnotes.txt\n**/__pycache__\n")
    return tmp_path


def name(context, service="web", **more):
    return image_of("shop", Service(service, build=Build(context, **more)))


def test_an_image_that_is_not_built_keeps_its_reference():
    assert image_of("shop", Service("db", image="postgres:16")) == "postgres:16"


def test_an_unchanged_tree_has_the_same_name(context):
    assert name(context) == name(context)
    assert name(context).startswith("stackproof/shop:")


def test_services_that_build_the_same_share_one_image(context):
    assert name(context, "api") == name(context, "worker")


@pytest.mark.parametrize("file", ["Dockerfile", "app.py", "new.py"])
def test_a_changed_file_changes_the_name(context, file):
    before = name(context)
    (context / file).write_text("changed\n")
    assert name(context) != before


def test_an_executable_file_is_another_one(context):
    before = name(context)
    (context / "app.py").chmod(0o755)
    assert name(context) != before


@pytest.mark.parametrize("file", ["notes.txt", "__pycache__/app.pyc"])
def test_an_ignored_file_changes_nothing(context, file):
    before = name(context)
    (context / file).parent.mkdir(exist_ok=True)
    (context / file).write_text("changed\n")
    assert name(context) == before


def test_the_dockerignore_named_after_the_dockerfile_wins(context):
    (context / "Dockerfile.dockerignore").write_text("app.py\n")
    before = name(context)
    (context / "app.py").write_text("changed\n")
    assert name(context) == before
    (context / "notes.txt").write_text("changed\n")
    assert name(context) != before


@pytest.mark.parametrize("more", [{"args": {"A": "1"}}, {"target": "slim"}, {"dockerfile": "x"}])
def test_arguments_target_and_dockerfile_count(context, more):
    assert name(context, **more) != name(context)
