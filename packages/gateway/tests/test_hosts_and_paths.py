"""The names that a gateway answers to, and the one form of each path that it reads."""

import pytest

from stackproof_gateway.hosts import Hosts
from stackproof_gateway.paths import clean_path
from stackproof_gateway.provider.endpoints import is_passed_on

ALWAYS = [
    "localhost",
    "localhost:4000",
    "LOCALHOST",
    "gateway.localhost:1",
    "host.docker.internal",
    "host.containers.internal:4000",
]
LOOPBACK = ["127.0.0.1", "127.0.0.1:4000", "127.1.2.3", "[::1]:4000", "[::1]"]
ADDRESSES = ["172.18.0.5:4000", "[fd00::5]:4000", "192.168.1.7"]
ONE_LABEL = ["fake-openai:4000", "gateway", "fake_openai", "9f3c1b2a7d4e"]
NEVER = [
    "evil.example",
    "evil.example:4000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "evil.example#localhost",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost,evil.example",
    "localhost evil.example",
    "localhost:4000:80",
    "localhost:x",
    "localhost/..",
    "",
    ":4000",
    "localhost.",
    "[::1",
    "[localhost]",
    "2130706433",
    "xn--lcalhost-54a.com",
    ".localhost.evil",
    "evil.internal",
    "api.openai.com",
]


@pytest.mark.parametrize("host", [*ALWAYS, *LOOPBACK])
@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_on_loopback_a_gateway_answers_to_loopback_names(bound, host):
    assert Hosts(bound).admit(host)


@pytest.mark.parametrize("host", [*ADDRESSES, *ONE_LABEL, *NEVER])
def test_on_loopback_it_answers_to_no_other_name(host):
    assert not Hosts("127.0.0.1").admit(host)


@pytest.mark.parametrize("host", [*ALWAYS, *LOOPBACK, *ADDRESSES, *ONE_LABEL])
@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
def test_on_all_addresses_it_answers_to_each_address_and_to_names_of_containers(bound, host):
    assert Hosts(bound).admit(host)


@pytest.mark.parametrize("host", NEVER)
def test_on_all_addresses_it_answers_to_no_name_that_a_public_server_can_point_here(host):
    assert not Hosts("0.0.0.0").admit(host)


def test_on_one_address_it_answers_to_that_address_alone():
    hosts = Hosts("192.168.1.5")
    assert hosts.admit("192.168.1.5:4000")
    assert not hosts.admit("192.168.1.6:4000")


def test_it_answers_to_names_that_it_was_told_and_to_all_below_a_dot():
    hosts = Hosts("127.0.0.1", ("API.openai.com", ".svc.cluster.local", " "))
    assert hosts.admit("api.openai.com:443")
    assert hosts.admit("gateway.default.svc.cluster.local")
    assert not hosts.admit("svc.cluster.local.evil.example")
    assert not hosts.admit("x.api.openai.com")


HOSTILE = [
    b"/v1/../admin",
    b"/v1/%2e%2e/admin",
    b"/v1/%2E%2E/admin",
    b"/v1/.%2e/admin",
    b"/v1/./models",
    b"/v1/..",
    b"/v1/%252e%252e/admin",
    b"/v1/%25252e/x",
    b"/v1/..%2fadmin",
    b"/v1%2f..%2fadmin",
    b"//v1/models",
    b"/v1//models",
    b"/v1/%2fmodels",
    b"/v1\\..\\admin",
    b"/v1/%5c..%5cadmin",
    b"/v1/..;/admin",
    b"/v1/..;a=b/admin",
    b"/v1/%2e%2e;/admin",
    b"/v1/.. /admin",
    b"/v1/..%20/x",
    b"/v1/...",
    b"/v1/%c0%ae%c0%ae/admin",
    b"/v1/%e0%80%ae/x",
    "/v1/\uff0e\uff0e/admin".encode(),
    b"/v1/%ef%bc%8e%ef%bc%8e/admin",
    "/v1/\u2025/admin".encode(),
    "/v1\uff0f..\uff0fadmin".encode(),
    b"/v1/models%00",
    b"/v1/models%0d%0aHost:x",
    b"/v1/%u002e%u002e/admin",
    b"/v1/%",
    b"/v1/%2",
    b"http://evil.example/v1/models",
    b"v1/models",
    b"*",
    b"",
    b"/t/../v1/models",
    b"/k/%2e%2e/v1/models",
    b"/v1/models/%ff",
]


@pytest.mark.parametrize("raw", HOSTILE)
def test_a_path_that_can_be_read_in_two_ways_is_refused(raw):
    with pytest.raises(ValueError, match=r"^it "):
        clean_path(raw)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", "/"),
        (b"/v1/chat/completions", "/v1/chat/completions"),
        (b"/v1/models/", "/v1/models/"),
        (b"/v1/models/meta-llama/Llama-3.1-8B", "/v1/models/meta-llama/Llama-3.1-8B"),
        (b"/v1/models/ft:gpt-4o:org::id", "/v1/models/ft:gpt-4o:org::id"),
        (b"/v1/models/a%2Fb", "/v1/models/a/b"),
        (b"/v1/models/m%20x", "/v1/models/m x"),
        (b"/t/a.b..c/v1/models", "/t/a.b..c/v1/models"),
        ("/v1/models/modèle".encode(), "/v1/models/modèle"),
    ],
)
def test_an_ordinary_path_is_decoded_once(raw, path):
    assert clean_path(raw) == path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models/org/name",
        "/v1/files/file-1/content",
        "/v1/vector_stores/vs_1/files",
    ],
)
def test_known_endpoints_are_passed_on(path):
    assert is_passed_on("GET", path)


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/v1",
        "/v1/",
        "/v1/organization/users",
        "/v1/organization/admin_api_keys",
        "/v1/models/..",
        "/v1/models/../files",
        "/v1/models/a?b",
        "/v1/models/a#b",
        "/v1/models/a\n",
        "/v1/files/",
        "/v2/models",
        "/v1/fine_tuning/jobs",
        "/v1/models/.hidden",
        "/v1/models/a%2fb",
    ],
)
def test_nothing_else_is_passed_on(path):
    assert not is_passed_on("GET", path)


def test_a_model_of_the_account_is_not_deleted():
    assert not is_passed_on("DELETE", "/v1/models/ft:gpt-4o:org::id")
