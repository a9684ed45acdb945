"""What a run keeps for this user's other commands, and nobody else."""

import os
import stat
from dataclasses import replace

import pytest

from stackproof.isolation.snapshot_key import snapshot_key
from stackproof.stack.resolved import GATEWAY_SECRET, StackRequest, resolve

OTHER = "fedcba9876543210fedcba9876543210"


@pytest.fixture
def shop(tmp_path):
    """A project with a gateway; gives back what is known before a start."""
    (tmp_path / "config").mkdir()
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  llm:\n"
        "    image: gateway\n"
        "    environment: {GATEWAY_LLM: live}\n"
        "    ports: ['4000']\n"
        "    x-stackproof: {environment_of: stackproof, command: [serve]}\n"
    )
    (tmp_path / "config" / "shop.yaml").write_text(
        "stack: shop\ncompose_files: [../compose.yaml]\ngateway: {service: llm}\n"
    )

    def make(**environment):
        environment = {"STACKPROOF_STATE_DIR": str(tmp_path / "state"), **environment}
        return resolve(StackRequest(tmp_path, environment, stack="shop"))

    return make


def test_each_run_has_a_token_of_its_own_and_the_same_snapshot(shop):
    one, other = shop(), shop()
    assert one.plan.gateway_token != other.plan.gateway_token
    assert len(one.plan.gateway_token) == 32
    assert snapshot_key(one, print) == snapshot_key(other, print)


@pytest.fixture
def started(shop):
    """What has begun a run, whose folder is there and has its secrets."""
    made = shop()
    made.run.path.mkdir(parents=True, mode=0o700)
    before = os.umask(0)
    made.keep_secrets()
    os.umask(before)
    return made


def test_the_token_is_kept_for_this_user_alone_whatever_the_umask(started):
    path = started.run.path / GATEWAY_SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == started.plan.gateway_token


def test_every_command_of_a_run_has_its_token(shop, started):
    later = shop()
    assert later.plan == started.plan
    assert started.with_ports({}).plan.gateway_token == started.plan.gateway_token
    assert _services(later) == _services(started)


def test_a_command_that_was_begun_before_the_run_takes_over_its_token(shop):
    early, starter = shop(), shop()
    starter.run.path.mkdir(parents=True, mode=0o700)
    starter.keep_secrets()
    assert early.of_run(starter.record()).plan.gateway_token == starter.plan.gateway_token
    assert starter.of_run(starter.record()).plan == starter.plan


def test_a_token_that_somebody_else_has_put_there_is_not_taken(shop, started, other_user):
    path = started.run.path / GATEWAY_SECRET
    other_user.owns(path)
    assert shop().plan.gateway_token != started.plan.gateway_token


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_nothing_but_a_file_is_read_as_a_token(shop, started, kind):
    path = started.run.path / GATEWAY_SECRET
    kept = path.rename(path.with_name("kept"))
    make = {"link": lambda: path.symlink_to(kept), "fifo": lambda: os.mkfifo(path)}
    make.get(kind, path.mkdir)()
    assert len(shop().plan.gateway_token) == 32
    assert shop().plan.gateway_token != started.plan.gateway_token


def test_a_token_that_the_user_chose_is_taken_in_every_run(shop, started):
    assert shop(GATEWAY_TOKEN=OTHER).plan.gateway_token == OTHER
    assert shop(GATEWAY_TOKEN=OTHER).of_run(shop().record()).plan.gateway_token == OTHER


def test_what_is_written_of_a_run_does_not_show_the_token(shop):
    resolved = shop()
    record = resolved.record()
    assert resolved.plan.gateway_token not in str(record)
    assert resolved.plan.gateway_token not in str(replace(resolved.plan, services=(), secrets=()))


def _services(resolved):
    return resolved.record().services
