"""Profiles, the project's name, unset variables and keys without effect, from files to the plan."""

import pytest

from stackproof.errors import ConfigError
from stackproof.stack.resolved import StackRequest, resolve

COMPOSE = """\
services:
  api: {image: redis:7, environment: {NAME: "${COMPOSE_PROJECT_NAME}"}}
  beat: {image: redis:7, profiles: [beat]}
  mail: {image: redis:7, profiles: [mail, all]}
"""


@pytest.fixture
def resolved(tmp_path):
    def resolved(compose=COMPOSE, config="", dotenv="", environment=None, **request):
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "shop.yaml").write_text(
            f"compose_files: [../compose.yaml]\n{config}"
        )
        (tmp_path / "compose.yaml").write_text(compose)
        (tmp_path / ".env").write_text(dotenv)
        surroundings = {"HOME": str(tmp_path), "STACKPROOF_STATE_DIR": str(tmp_path / "state")}
        known = {**surroundings, **(environment or {})}
        return resolve(StackRequest(tmp_path, known, engine="compose", **request))

    return resolved


def names(found):
    return sorted(service.name for service in found.plan.services)


@pytest.mark.parametrize(
    ("request_", "source"),
    [
        ({"profiles": ("baet",)}, "command line"),
        ({"config": "profiles: [baet]"}, "config/shop.yaml:2"),
        ({"environment": {"STACKPROOF_PROFILES": "mail,baet"}}, "environment STACKPROOF_PROFILES"),
        ({"environment": {"COMPOSE_PROFILES": "baet"}}, "COMPOSE_PROFILES"),
        ({"dotenv": "COMPOSE_PROFILES=baet"}, "COMPOSE_PROFILES"),
        ({"config": "suites: {smoke: {profiles: [baet]}}", "suite": "smoke"}, "config/shop.yaml:2"),
    ],
)
def test_an_unknown_profile_is_refused_with_the_known_ones(resolved, request_, source):
    with pytest.raises(ConfigError, match="no service has the profile 'baet'") as caught:
        resolved(**request_)
    assert str(caught.value).startswith(source)
    assert caught.value.observed == "the profiles of the stack file: all, beat, mail"
    assert caught.value.remedy == "did you mean beat?"


def test_a_profile_of_a_stack_without_profiles_is_to_be_removed(resolved):
    with pytest.raises(ConfigError) as caught:
        resolved("services: {api: {image: redis:7}}", profiles=("beat",))
    assert (caught.value.observed[-5:], caught.value.remedy) == (" none", "remove it")


def test_compose_profiles_counts_where_no_profile_is_set(resolved):
    dotenv = "COMPOSE_PROFILES=beat,mail\n"
    assert names(resolved(dotenv=dotenv)) == ["api", "beat", "mail"]
    assert names(resolved(dotenv=dotenv, environment={"COMPOSE_PROFILES": "all"})) == [
        "api",
        "mail",
    ]
    assert names(resolved(dotenv=dotenv, profiles=("beat",))) == ["api", "beat"]
    assert names(resolved(profiles=("*",))) == ["api", "beat", "mail"]


def test_the_name_of_the_project_is_that_of_the_copy(resolved):
    for dotenv in ("", "COMPOSE_PROJECT_NAME=development\n"):
        found = resolved(dotenv=dotenv)
        assert found.plan.service("api").environment["NAME"] == "shop-e2e"
        assert found.plan.source.variables["COMPOSE_PROJECT_NAME"] == "shop-e2e"
    copy = resolved(isolated=True)
    assert copy.plan.service("api").environment["NAME"] == copy.settings.project != "shop-e2e"


def test_a_variable_that_is_not_set_is_told_once(resolved):
    compose = 'services:\n  api: {image: redis:7, environment: {A: "$X$X", B: "${X}"}}\n'
    assert list(resolved(compose).plan.notices) == [
        "compose.yaml:2: the variable X is not set; an empty text stands for it"
    ]


def test_keys_without_effect_are_told_in_one_line_a_service(planning):
    planning.ignored = tuple(f"services.app.{key}" for key in ("dns", "deploy.labels", "pid"))
    planning.located("services.app.dns", 7)
    app = planning.native("app", joins={"pid": "host", "network_mode": "none"})
    told = [line for line in planning.plan(app).notices if "no effect" in line]
    assert told == [
        "app: no effect without containers: dns, deploy.labels, network_mode (compose.yaml:7)"
    ]
    notices = planning.plan(app, engine="compose").notices
    assert not [line for line in notices if "no effect" in line]
