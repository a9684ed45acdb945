"""Stacks of other people: from `stackproof init` to a green test, without a change of theirs.

`STRANGERS=all` runs each of them in each way; otherwise some stand for the rest.
"""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.strangers.stranger import BY_NAME, KINDS, Stranger

from stackproof.engines.compose.connection import connect
from stackproof.errors import EngineUnavailable

IS_COMPLETE = os.environ.get("STRANGERS") == "all"
COPIES = 8


def some(*names, of=KINDS):
    """All strangers where all are asked for, else those named."""
    found = of if IS_COMPLETE else [BY_NAME[name] for name in names]
    return pytest.mark.parametrize("kind", found, ids=lambda kind: kind.name)


@pytest.fixture
def outer():
    with tempfile.TemporaryDirectory(prefix="stackproof-stranger-") as folder:
        Path(folder).chmod(0o755)  # servers do not run as root
        yield Path(folder)


@pytest.fixture
def make(tmp_path, outer):
    """Makes a copy of a stranger's repository."""
    made = []

    def one(kind, *, parent=tmp_path, **values):
        folder, own = parent / str(len(made)), outer / str(len(made))
        folder.mkdir()
        own.mkdir()
        stranger = Stranger(kind, folder, own, **values)
        made.append(stranger)
        return stranger

    yield one
    for stranger in made:
        stranger.end()


def tried(stranger):
    before = {path: path.read_bytes() for path in stranger.folder.rglob("*") if path.is_file()}
    stranger.adopt()
    stranger.answers_as_ever()
    stranger.run("invoke", "down")
    assert {path: path.read_bytes() for path in before if path.exists()} == before


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_strangers_stack_is_green_without_docker(make, kind):
    tried(make(kind, environment={"STACKPROOF_ENGINE": "process"}))


@some("one-port-twice", "secrets-by-file")
def test_it_is_green_for_an_ordinary_user(make, kind, other_user):
    parent = other_user.home / kind.name
    parent.mkdir()
    other_user.owns(parent)
    tried(make(kind, parent=parent, user=other_user))


@pytest.fixture(scope="session")
def docker_engine():
    """A Docker Engine; without one the tests are skipped, but never in CI."""
    try:
        connect(os.environ)
    except EngineUnavailable as error:
        reason = f"{error}\nstart Docker, or run `.ci/provision`"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@some("flask-redis", of=[kind for kind in KINDS if not kind.needs_images])
@pytest.mark.usefixtures("docker_engine")
def test_it_is_green_in_containers(make, kind):
    if kind.need is not None and (why := kind.need.lacks):
        pytest.skip(why)
    stranger = make(kind, environment={"STACKPROOF_ENGINE": "compose"})
    stranger.use_available_images()
    tried(stranger)


@some("one-port-twice")
def test_eight_copies_of_it_run_at_once(make, kind):
    environment = {"STACKPROOF_ENGINE": "process"}
    first = make(kind, environment=environment)
    first.init()
    others = [
        make(kind, environment=environment, repository=first.folder) for _ in range(COPIES - 1)
    ]
    copies = [first, *others]
    with ThreadPoolExecutor(COPIES) as pool:
        list(pool.map(lambda copy: copy.run("invoke", "up"), copies))
        list(pool.map(lambda copy: copy.answers_as_ever(), copies))
        list(pool.map(lambda copy: copy.run("invoke", "down"), copies))
