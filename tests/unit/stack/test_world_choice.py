"""What the services of a copy see: as the settings ask, and as the running copy has it."""

import pytest

from stackproof.engines.process.engine import ProcessEngine
from stackproof.errors import ConfigError
from stackproof.reaper.ownership import make_folders
from stackproof.stack.resolved import StackRequest, resolve
from stackproof.stack.running_record import write_about

COMPOSE = """\
services:
  web: {image: x, x-stackproof: {command: serve}}
  other: {image: x, network_mode: host, profiles: [odd], x-stackproof: {command: serve}}
"""


class Machine:
    """A project on a machine that allows private worlds, or says why not."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.asked = folder, 0
        self.refuses = ""
        (folder / "config").mkdir()
        (folder / "compose.yaml").write_text(COMPOSE)
        self.configure("")
        monkeypatch.setattr(ProcessEngine, "no_world", lambda _: self.answer())

    def answer(self):
        self.asked += 1
        return self.refuses

    def configure(self, text):
        base = "stack: shop\ncompose_files: [../compose.yaml]\n"
        (self.folder / "config" / "shop.yaml").write_text(base + text)

    def resolve(self, engine="process", profiles=(), **environment):
        state = {"STACKPROOF_STATE_DIR": str(self.folder / "state"), **environment}
        return resolve(StackRequest(self.folder, state, engine=engine, profiles=profiles))

    def run(self):
        """Leave a copy behind that looks as if it ran."""
        resolved = self.resolve()
        make_folders(str(resolved.run.path))
        write_about(resolved.run, resolved.record(complete=True))
        return resolved


@pytest.fixture
def machine(tmp_path, monkeypatch):
    return Machine(tmp_path, monkeypatch)


def test_without_a_setting_services_see_a_private_world_where_it_is_allowed(machine):
    assert machine.resolve().plan.world == "private"
    machine.refuses = "clone: EPERM"
    assert machine.resolve().plan.world == "host"


def test_for_the_host_world_nothing_is_tried(machine):
    assert machine.resolve(STACKPROOF_WORLD="host").plan.world == "host"
    assert machine.asked == 0


@pytest.mark.parametrize("asked", ["private", "auto"])
def test_a_private_world_is_planned_where_it_is_asked_for_and_allowed(machine, asked):
    machine.configure(f"world: {asked}\n")
    resolved = machine.resolve()
    assert resolved.plan.world == "private"
    assert resolved.plan.service("web").world is not None
    assert resolved.with_ports({}).plan.world == "private"


def test_the_environment_is_stronger_than_the_stack_config(machine):
    machine.configure("world: private\n")
    assert machine.resolve(STACKPROOF_WORLD="host").plan.world == "host"


def test_where_it_is_not_allowed_private_is_refused_with_the_reason(machine):
    machine.configure("world: private\n")
    machine.refuses = "clone: EPERM (run with --security-opt …)"
    with pytest.raises(ConfigError) as caught:
        machine.resolve()
    assert (caught.value.key, caught.value.line) == ("world", 3)
    assert caught.value.observed == machine.refuses
    assert "world: auto" in caught.value.remedy


def test_where_it_is_not_allowed_auto_says_so_in_one_line_and_goes_on(machine):
    machine.configure("world: auto\n")
    machine.refuses = "clone: EPERM"
    plan = machine.resolve().plan
    assert plan.world == "host"
    assert [notice for notice in plan.notices if machine.refuses in notice] == [
        "services run in the host world, with translated addresses: clone: EPERM"
    ]


def test_auto_falls_back_for_a_service_that_shares_this_machines_network_if_it_is_on(machine):
    machine.configure("world: auto\n")
    assert machine.resolve().plan.world == "private"
    plan = machine.resolve(profiles=("odd",)).plan
    assert plan.world == "host"
    assert any("other shares this machine's network" in notice for notice in plan.notices)


def test_with_containers_the_setting_has_no_effect(machine):
    machine.configure("world: private\n")
    machine.refuses = "clone: EPERM"
    assert machine.resolve(engine="compose").plan.world == "host"
    assert machine.asked == 0


def test_another_word_is_refused(machine):
    machine.configure("world: secret\n")
    with pytest.raises(ConfigError, match="auto, private or host"):
        machine.resolve()


def test_a_running_copy_keeps_its_world_and_a_new_one_gets_what_is_asked_for(machine):
    machine.configure("world: private\n")
    machine.run()
    machine.configure("world: host\n")
    again = machine.resolve()
    assert again.plan.world == "private"
    assert again.plan.notices[0] == (
        "the stack runs in the private world; `invoke up --fresh` starts it in the host one"
    )
    assert again.anew().plan.world == "host"


def test_a_copy_that_runs_in_either_world_is_what_auto_asks_for(machine):
    machine.configure("world: host\n")
    machine.run()
    machine.configure("world: auto\n")
    plan = machine.resolve().plan
    assert plan.world == "host"
    assert not any("world" in notice for notice in plan.notices)


def test_a_running_copy_is_reached_where_a_new_one_could_not_be_started(machine):
    machine.configure("world: private\n")
    machine.run()
    machine.refuses = "clone: EPERM"
    assert machine.resolve().plan.world == "private"
