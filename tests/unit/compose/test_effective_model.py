"""What Compose gets back: every name, port and label belongs to the copy."""

from pathlib import Path

import pytest

from stackproof.engines.compose.model import effective_model
from stackproof.errors import ConfigError
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.plan.mounts.model import PlannedMount
from stackproof.stack_file.model import Limits

LABELS = {"dev.stackproof.run": "3f2a"}


def planned(name="web", **more):
    return ServicePlan(name=name, argv=(), environment={}, image="shop/web:1", **more)


def effective(service, planned_service, *, version="1.44", top=None, **more):
    plan = Plan("shop", "shop-e2e", "compose", Path("/run"), (planned_service,), **more)
    resolved = {"services": {planned_service.name: service}, **(top or {})}
    return effective_model(resolved, plan, LABELS, version)


def test_a_fixed_container_name_is_dropped():
    service = effective({"container_name": "web"}, planned())["services"]["web"]
    assert "container_name" not in service


def test_a_broker_has_the_same_host_name_in_each_copy_since_its_data_belong_to_it():
    broker = ServicePlan(name="mq", argv=(), environment={}, image="localhost/rabbitmq:3")
    assert effective({}, broker)["services"]["mq"]["hostname"] == "mq"
    assert effective({"hostname": "own"}, broker)["services"]["mq"]["hostname"] == "own"
    assert "hostname" not in effective({}, planned())["services"]["web"]


def test_ports_are_published_on_loopback_where_the_plan_says():
    at = planned(endpoints=(Endpoint("web", 8000, "127.0.0.1", 18000),))
    service = effective({"ports": [{"target": 8000, "published": "8000"}]}, at)["services"]["web"]
    assert [(one["host_ip"], one["published"]) for one in service["ports"]] == [
        ("127.0.0.1", "18000")
    ]


def test_a_dollar_in_a_value_is_not_interpolated_again():
    one = ServicePlan("web", (), {"PRICE": "5$"}, image="x")
    assert effective({}, one)["services"]["web"]["environment"] == {"PRICE": "5$$"}


def test_containers_networks_and_volumes_carry_the_labels():
    top = {"networks": {"default": None}, "volumes": {"data": {"labels": {"own": "1"}}}}
    made = effective({"labels": {"own": "1"}}, planned(), top=top)
    assert made["services"]["web"]["labels"] == {"own": "1", **LABELS}
    assert made["networks"]["default"]["labels"] == LABELS
    assert made["volumes"]["data"]["labels"] == {"own": "1", **LABELS}


def test_networks_and_volumes_are_named_after_the_project():
    top = {"networks": {"default": {"name": "shared"}}, "volumes": {"data": {"name": "shared"}}}
    made = effective({}, planned(), top=top)
    assert made["networks"]["default"]["name"] == "shop-e2e_default"
    assert made["volumes"]["data"]["name"] == "shop-e2e_data"


def test_a_network_of_the_run_stands_for_an_external_one():
    theirs = {"name": "theirs", "external": True}
    made = effective({}, planned(), top={"networks": {"x": theirs}})["networks"]["x"]
    assert made == {"name": "shop-e2e_x", "labels": LABELS}


@pytest.mark.parametrize(("version", "kept"), [("1.41", False), ("1.44", True), ("1.100", True)])
def test_start_interval_goes_only_to_an_engine_that_knows_it(version, kept):
    check = {"healthcheck": {"test": ["CMD", "x"], "start_interval": "1s"}}
    made = effective(check, planned(), version=version)["services"]["web"]
    assert ("start_interval" in made["healthcheck"]) is kept


def test_limits_of_the_plan_replace_every_spelling_of_them():
    written = {"cpus": 4, "mem_limit": "8g", "deploy": {"resources": {"limits": {"cpus": "4"}}}}
    made = effective(written, planned(limits=Limits(0.5, 1 << 20, 10)))["services"]["web"]
    assert made["deploy"]["resources"]["limits"] == {
        "cpus": "0.5", "memory": "1048576", "pids": 10
    }  # fmt: skip
    assert not {"cpus", "mem_limit"} & set(made)


def test_a_limit_of_0_which_the_json_of_compose_leaves_out_is_put_back():
    made = effective({"ulimits": {"core": {}, "nofile": {"hard": 5}, "nproc": 9}}, planned())
    assert made["services"]["web"]["ulimits"] == {
        "core": {"soft": 0, "hard": 0}, "nofile": {"soft": 0, "hard": 5}, "nproc": 9,
    }  # fmt: skip


def test_a_hermetic_stack_has_internal_networks_and_publishes_nothing():
    at = planned(endpoints=(Endpoint("web", 8000, "127.0.0.1", 18000),))
    made = effective({}, at, top={"networks": {"default": {}}}, hermetic=True)
    assert made["networks"]["default"]["internal"] is True
    assert made["services"]["web"]["ports"] == []


def test_keys_that_stackproof_does_not_know_reach_compose():
    assert effective({"cap_add": ["NET_ADMIN"]}, planned())["services"]["web"]["cap_add"] == [
        "NET_ADMIN"
    ]


def test_a_dependency_that_is_not_part_of_the_copy_is_left_out():
    written = {"depends_on": {"off": {"condition": "service_started", "required": False}}}
    assert effective(written, planned())["services"]["web"]["depends_on"] == {}


def test_a_service_that_compose_leaves_out_is_named():
    plan = Plan("shop", "shop-e2e", "compose", Path("/run"), (planned(), planned("api")))
    with pytest.raises(ConfigError, match="Docker Compose leaves out api"):
        effective_model({"services": {"web": {}}}, plan, LABELS, "1.44")


def test_files_of_secrets_and_configs_are_mounted_as_compose_does_and_decided_like_mounts():
    files = {"/run/secrets/token": "/shop/token.txt", "/site": "/shop/site.conf"}
    web = planned(outside=tuple(
        PlannedMount(target, "bind", source, "keep", read_only=True, is_file=True)
        for target, source in files.items()
    ))  # fmt: skip
    service = {"secrets": [{"source": "token"}], "configs": [{"source": "site"}]}
    top = {
        "secrets": {"token": {"name": "shop_token", "file": "/shop/token.txt"}},
        "configs": {"site": {"name": "shop_site", "file": "/shop/site.conf"}},
    }
    made = effective(service, web, top=top)
    mounts = made["services"]["web"]["volumes"]
    assert {mount["target"]: mount["source"] for mount in mounts} == files
    assert all(mount["read_only"] and mount["type"] == "bind" for mount in mounts)
    assert not {"secrets", "configs"} & set(made["services"]["web"])
