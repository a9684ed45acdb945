"""The token of a run, and where the plan puts it."""

import pytest

from stackproof.errors import ConfigError
from stackproof.plan import explain_plan
from stackproof.plan.gateway import with_token
from stackproof.stack_file.model import Network, Port, Service

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"


@pytest.fixture
def gateway_plan(planning):
    """Plans of an app beside a gateway that is called `llm`, with the token in it."""

    def make(app, *, engine="process", mode="record", token=TOKEN, command=("serve",), **gateway):
        planning.configure(gateway_service="llm", engine=engine)
        environment = {"GATEWAY_LLM": mode, **gateway.pop("environment", {})}
        llm = planning.native(
            "llm", ports=(Port(4000),), environment=environment, command=command, **gateway
        )
        services = (llm, planning.native("app", environment=app))
        if engine == "compose":
            services = tuple(
                Service(one.name, image="x", command=one.command, environment=one.environment,
                        ports=one.ports, networks=one.networks, hostname=one.hostname)
                for one in services
            )  # fmt: skip
        return with_token(planning.plan(*services, engine=engine), token)

    return make


URL = "http://llm:4000/v1"


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize("mode", ["fake", "replay", "record", "live"])
def test_the_gateway_has_the_token_in_its_environment_and_not_in_its_arguments(
    gateway_plan, engine, mode
):
    plan = gateway_plan({"OPENAI_BASE_URL": URL}, engine=engine, mode=mode)
    assert plan.service("llm").environment["GATEWAY_TOKEN"] == TOKEN
    assert plan.gateway_token == TOKEN
    assert TOKEN in plan.secrets
    assert not any(TOKEN in word for one in plan.services for word in one.argv)


@pytest.mark.parametrize(("engine", "address"), [
    ("process", "http://127.0.0.1:14000"), ("compose", "http://llm:4000"),
])  # fmt: skip
def test_where_calls_cost_money_the_clients_addresses_carry_it(gateway_plan, engine, address):
    given = {
        "OPENAI_BASE_URL": URL,
        "ANTHROPIC_BASE_URL": "http://llm:4000",
        "GOOGLE_GEMINI_BASE_URL": "http://llm:4000/",
        "WITH_NAMESPACE": "http://llm:4000/t/mine/v1/",
        "IN_JSON": '{"base": "http://llm:4000/v1", "key": "x"}',
        "OPENAI_API_KEY": "sk-local",
    }
    found = gateway_plan(given, engine=engine).service("app").environment
    door = f"{address}/k/{TOKEN}"
    assert found["OPENAI_BASE_URL"] == f"{door}/v1"
    assert found["ANTHROPIC_BASE_URL"] == door
    assert found["GOOGLE_GEMINI_BASE_URL"] == f"{door}/"
    assert found["WITH_NAMESPACE"] == f"{door}/t/mine/v1/"
    assert found["IN_JSON"] == f'{{"base": "{door}/v1", "key": "x"}}'
    assert found["OPENAI_API_KEY"] == "sk-local"


@pytest.mark.parametrize("mode", ["fake", "replay"])
def test_where_calls_cost_nothing_the_clients_see_what_the_stack_file_says(gateway_plan, mode):
    plan = gateway_plan({"URL": URL}, engine="compose", mode=mode)
    assert plan.service("app").environment == {"URL": URL}


@pytest.mark.parametrize("words", [("--llm", "live"), ("--llm=record",)])
def test_the_mode_may_stand_in_the_gateways_command(gateway_plan, words):
    plan = gateway_plan({"URL": URL}, engine="compose", mode="", command=("serve", *words))
    assert TOKEN in plan.service("app").environment["URL"]


@pytest.mark.parametrize("url", [
    "http://llm.example:4000/v1", "http://my-llm:4000/v1", "http://llm-2:4000/v1", "redis://llm:4000",
    "http://other:4000/http", f"http://llm:4000/k/{OTHER}/v1", "llm:4000", "https://api.openai.com/v1",
])  # fmt: skip
def test_nobody_else_is_given_the_token(gateway_plan, url):
    plan = gateway_plan({"URL": url, "LLM": URL}, engine="compose")
    assert plan.service("app").environment["URL"] == url


def test_another_port_of_this_machine_is_not_the_gateway(gateway_plan):
    plan = gateway_plan({"URL": "http://127.0.0.1:9000/v1", "LLM": URL})
    assert plan.service("app").environment["URL"] == "http://127.0.0.1:9000/v1"


def test_the_aliases_of_the_gateway_are_its_names(planning, gateway_plan):
    planning.networks = {"default": Network()}
    plan = gateway_plan(
        {"URL": "https://api.openai.com/v1"},
        engine="compose",
        networks={"default": ("api.openai.com", "openai")},
    )
    assert plan.service("app").environment["URL"] == f"https://api.openai.com/k/{TOKEN}/v1"
    assert plan.service("llm").environment["GATEWAY_ALLOWED_HOSTS"] == "api.openai.com"


def test_names_of_one_label_need_not_be_told(gateway_plan):
    assert "GATEWAY_ALLOWED_HOSTS" not in gateway_plan({}).service("llm").environment


def test_names_that_the_stack_file_allows_stay(planning, gateway_plan):
    planning.networks = {"default": Network()}
    plan = gateway_plan(
        {}, networks={"default": ("a.example",)}, environment={"GATEWAY_ALLOWED_HOSTS": "b.example"}
    )
    assert plan.service("llm").environment["GATEWAY_ALLOWED_HOSTS"] == "b.example"


@pytest.mark.parametrize("engine", ["process", "compose"])
@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_only_in_a_container_it_may_listen_on_all_addresses(gateway_plan, engine, wildcard):
    plan = gateway_plan({}, engine=engine, environment={"GATEWAY_HOST": wildcard})
    expected = wildcard if engine == "compose" else "127.0.0.1"
    assert plan.service("llm").environment["GATEWAY_HOST"] == expected


def test_a_token_of_the_stack_file_stays(gateway_plan):
    plan = gateway_plan({"URL": URL}, environment={"GATEWAY_TOKEN": OTHER})
    assert plan.gateway_token == OTHER
    assert plan.service("llm").environment["GATEWAY_TOKEN"] == OTHER
    assert f"/k/{OTHER}/" in plan.service("app").environment["URL"]


def test_a_token_that_cannot_stand_in_an_address_is_refused(gateway_plan):
    with pytest.raises(ConfigError, match="token of llm") as refused:
        gateway_plan({}, environment={"GATEWAY_TOKEN": "my/secret"})
    assert "my/secret" not in str(refused.value)


def test_it_is_said_where_no_client_can_carry_the_token(gateway_plan):
    told = gateway_plan({"LLM_HOST": "llm"}, engine="compose").notices
    assert any("each call needs the token" in one for one in told)
    assert not any("token" in one for one in gateway_plan({"URL": URL}, engine="compose").notices)
    fake = gateway_plan({"LLM_HOST": "llm"}, engine="compose", mode="fake")
    assert not any("token" in one for one in fake.notices)


def test_runs_differ_in_their_token(gateway_plan):
    one, other = gateway_plan({"URL": URL}), gateway_plan({"URL": URL}, token=OTHER)
    assert one.services != other.services


def test_the_token_is_shown_nowhere(gateway_plan):
    plan = gateway_plan({"OPENAI_BASE_URL": URL})
    assert TOKEN not in "\n".join(map(str, explain_plan(plan)))
    assert f"gateway_token='{TOKEN}'" not in repr(plan)


def test_a_stack_without_a_gateway_has_no_token(planning):
    plan = planning.plan(planning.native("app"))
    assert with_token(plan, TOKEN) is plan
