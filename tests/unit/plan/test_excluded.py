"""Services that `services.exclude` leaves out: nobody waits for them, and that is said."""

import pytest

from stackproof.errors import ConfigError
from stackproof.settings import load_settings
from stackproof.stack.resolved import StackRequest, resolve
from stackproof.stack.running_record import RunningRecord, write_about

COMPOSE = """\
services:
  web:
    build: .
    command: serve
    depends_on: [search, cache]
  cache: {image: "redis:7"}
  search: {image: "elasticsearch:8"}
"""


@pytest.fixture
def resolved(tmp_path):
    def resolve_with(line, compose=COMPOSE, **more):
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "Dockerfile").write_text("FROM python:3.12\n")
        (tmp_path / "compose.yaml").write_text(compose)
        config = f"stack: shop\ncompose_files: [../compose.yaml]\n{line}\n"
        (tmp_path / "config" / "shop.yaml").write_text(config)
        environment = {"HOME": str(tmp_path), "STACKPROOF_STATE_DIR": str(tmp_path / "state")}
        return resolve(StackRequest(tmp_path, environment, **more))

    return resolve_with


def test_the_others_start_without_it_and_say_so(resolved):
    plan = resolved("services: {exclude: [search]}").plan
    assert [service.name for service in plan.services] == ["cache", "web"]
    assert list(plan.service("web").depends_on) == ["cache"]
    assert "web starts without search, which is left out" in plan.notices


def test_with_containers_it_is_left_out_as_well(resolved):
    plan = resolved("services: {exclude: [search]}", engine="compose").plan
    assert [service.name for service in plan.services] == ["cache", "web"]


def test_a_service_that_is_not_there_is_refused_with_the_nearest(resolved):
    with pytest.raises(ConfigError, match=r"config/shop.yaml:3: services.exclude: .*'serch'") as no:
        resolved("services: {exclude: [serch]}")
    assert no.value.remedy == "did you mean search?"


def test_a_service_that_shares_its_network_can_not_do_without_it(resolved):
    compose = COMPOSE.replace("depends_on: [search, cache]", "network_mode: service:search")
    with pytest.raises(ConfigError, match="web can't run without search"):
        resolved("services: {exclude: [search]}", compose)


def test_the_command_line_leaves_out_more(resolved):
    found = resolved("services: {exclude: [search]}", without=("cache",))
    assert [service.name for service in found.plan.services] == ["web"]
    assert "web starts without search, cache, which are left out" in found.plan.notices
    with pytest.raises(ConfigError, match=r"command line: services\.exclude: .*'cach'"):
        resolved("", without=("cach",))


def test_a_running_stack_stays_without_what_the_command_line_has_left_out(resolved):
    compose = COMPOSE.replace("elasticsearch:8", "redis:7")
    found = resolved("", compose, without=("search",))
    record = RunningRecord.of(found.plan, found.settings, found.stack_file, files=False)
    found.run.path.mkdir(parents=True)
    write_about(found.run, record)
    assert [service.name for service in resolved("", compose).plan.services] == ["cache", "web"]
    other = resolved("", compose, without=("cache",)).plan
    assert [service.name for service in other.services] == ["search", "web"]


def test_settings_of_a_left_out_service_wait_for_it_but_no_command_can_run_in_it(resolved):
    config = "ports: {search: 9201}\nenvironment: {search: {A: b}}\none_shots: [search]\n"
    plan = resolved(config, without=("search",)).plan
    assert [service.name for service in plan.services] == ["cache", "web"]
    with pytest.raises(ConfigError, match="migrate"):
        resolved("migrate: {service: search, command: [a]}\n", without=("search",))


def test_what_a_left_out_service_says_need_not_be_supported(resolved):
    compose = COMPOSE.replace('search: {image: "elasticsearch:8"}', "search: {provider: {type: x}}")
    plan = resolved("services: {exclude: [search]}", compose).plan
    assert [service.name for service in plan.services] == ["cache", "web"]


def test_another_key_is_a_mistake(resolved, tmp_path):
    with pytest.raises(ConfigError, match="services"):
        resolved("services: {exlude: [search]}")
    resolved("services: {exclude: [search]}")
    assert load_settings(tmp_path, stack=None, environment={"HOME": "/"}).excluded == ("search",)
