"""Replicas: each is a service by its own name, and one name leads to all of them."""

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import load_stack_file, select_services
from stackproof.stack_file.replicas import with_replicas

TEXT = """\
services:
  web:
    image: i
    deploy: {replicas: 2}
    ports: ["8080-8090:80", "90"]
    networks: {front: {aliases: [www]}}
  worker: {image: i, scale: 3, depends_on: [web]}
  proxy:
    image: i
    depends_on: {web: {condition: service_healthy}, off: {condition: service_started}}
    network_mode: service:worker
  off: {image: i, scale: 0}
networks: {front: {}}
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "compose.yaml"
        path.write_text(text)
        return with_replicas(load_stack_file([path], {}))

    return load


def test_each_replica_is_a_service_and_all_of_them_share_one_name(load):
    stack = load(TEXT)
    assert list(stack.services) == [
        "web-1", "web-2", "worker-1", "worker-2", "worker-3", "proxy"
    ]  # fmt: skip
    web = stack.services["web-2"]
    assert (web.networks, web.replica_of) == ({"front": ("www", "web")}, "web")
    assert [port.published for port in web.ports] == ["8081", None]
    assert stack.services["worker-1"].networks == {"default": ("worker",)}
    assert stack.location("services.web-2.ports[0]").line == 5


def test_others_wait_for_all_replicas_and_share_with_the_first(load):
    stack = load(TEXT)
    proxy = stack.services["proxy"]
    waits = {name: how.condition for name, how in proxy.depends_on.items()}
    assert waits == {
        "web-1": "service_healthy", "web-2": "service_healthy", "worker-1": "service_started",
        "worker-2": "service_started", "worker-3": "service_started",
    }  # fmt: skip
    assert (proxy.network_mode, proxy.joins) == (
        "service:worker-1", {"network_mode": "service:worker-1"}
    )  # fmt: skip
    assert stack.missed == {"proxy": ("off",)}
    assert list(select_services(stack, (), ["web"])) == ["web-1", "web-2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('ports: ["8080:80"]', "2 replicas of x can't publish the port 8080"),
        ('ports: ["8080-8080:80"]', "can't publish the port"),
        ("networks: {n: {ipv4_address: 10.1.2.3}}", "can't all have the address 10.1.2.3"),
        ("container_name: x", "2 replicas can't all have one container_name"),
        ("deploy: {replicas: 3}", "scale is 2 and deploy.replicas is 3"),
    ],
)
def test_what_replicas_cannot_all_have_is_refused(load, text, what):
    body = f"services: {{x: {{image: i, scale: 2, {text}}}}}\nnetworks: {{n: {{}}}}\n"
    with pytest.raises(ConfigError, match=what) as caught:
        load(body)
    assert "compose.yaml:1: services.x" in str(caught.value)


def test_a_replica_cannot_have_the_name_of_another_service(load):
    with pytest.raises(ConfigError, match="a replica of x and another service are called x-2"):
        load("services: {x: {image: i, scale: 2}, x-2: {image: i}}")
