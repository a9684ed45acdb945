"""Settings come from five layers, know their source, and name the place of every mistake."""

import shutil
from pathlib import Path

import pytest

from stackproof.errors import ConfigError
from stackproof.settings import Command, ensure_env_file, explain, load_settings, stacks
from stackproof.stack_file.model import Limits

CONFIG = """\
stack: shop
compose_files: [../compose.yaml]
variables:
  POSTGRES_PASSWORD: from-config
  REGION: eu
ports:
  api: 18000
  message-queue: {5672: 15672}
"""


@pytest.fixture
def root(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yaml").write_text(CONFIG)
    return tmp_path


def load(root, environment=None, stack=None, **overrides):
    return load_settings(root, stack=stack, environment=environment or {}, overrides=overrides)


def error_of(root, environment=None, **options):
    with pytest.raises(ConfigError) as caught:
        load(root, environment, **options)
    return caught.value


def config_error(root, text):
    (root / "config" / "shop.yaml").write_text(text)
    return error_of(root)


def test_two_lines_are_a_whole_stack_config(root):
    (root / "config" / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    settings = load(root, {"HOME": "/home/ann"})
    assert (settings.stack, settings.project, settings.engine) == ("shop", "shop-e2e", "process")
    assert settings.compose_files == (root / "compose.yaml",)
    assert settings.artifacts == root / ".artifacts"
    assert settings.source("engine") == "default"


def test_the_config_is_stronger_than_the_default(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "project: other\n")
    settings = load(root)
    assert settings.project == "other"
    assert settings.source("project") == "config/shop.yaml:9"


def test_the_env_file_is_stronger_than_the_config(root):
    (root / ".env.integration").write_text("# mine\n\nSTACKPROOF_PORT_API=19000\n")
    settings = load(root)
    assert settings.ports["api"] == 19000
    assert settings.source("ports.api") == ".env.integration:3"


def test_the_environment_is_stronger_than_the_env_file(root):
    (root / ".env.integration").write_text("STACKPROOF_PORT_API=19000\n")
    settings = load(root, {"STACKPROOF_PORT_API": "20000"})
    assert settings.ports["api"] == 20000
    assert settings.source("ports.api") == "environment STACKPROOF_PORT_API"


def test_the_command_line_is_stronger_than_all(root):
    settings = load(root, {"STACKPROOF_ENGINE": "process"}, engine="compose")
    assert settings.engine == "compose"
    assert settings.source("engine") == "command line"


def test_options_that_were_not_given_change_nothing(root):
    settings = load(root, engine=None, project=None)
    assert (settings.engine, settings.source("engine")) == ("process", "default")


def test_profiles_of_the_command_line_are_added_to_the_configured_ones(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "profiles: [mail]\n")
    assert load(root, profiles=("beat", "mail")).profiles == ("mail", "beat")


def test_profiles_in_a_variable_are_separated_by_commas(root):
    assert load(root, {"STACKPROOF_PROFILES": "beat, mail"}).profiles == ("beat", "mail")


def test_the_name_of_a_service_in_a_variable_is_in_capitals_with_underscores(root):
    settings = load(root, {"STACKPROOF_PORT_MESSAGE_QUEUE": "1234"})
    assert settings.ports["message-queue"] == 1234


def test_a_service_that_the_config_does_not_mention_gets_a_likely_name(root):
    assert load(root, {"STACKPROOF_PORT_WEB_APP": "1234"}).ports["web-app"] == 1234


def test_a_single_port_replaces_a_mapping_with_all_that_is_known_of_it(root):
    settings = load(root, {"STACKPROOF_PORT_MESSAGE_QUEUE": "1234"})
    assert ("ports", "message-queue", "5672") not in settings.origins


def test_one_of_two_container_ports_keeps_its_mapping(root):
    assert load(root).ports["message-queue"] == {5672: 15672}


def test_an_empty_variable_is_as_good_as_none(root):
    assert load(root, {"STACKPROOF_ENGINE": "", "STACKPROOF_STACK": ""}).engine == "process"


def test_times_are_seconds_or_durations_of_compose(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "timeouts: {start: 1m30s, stop: 5}\n")
    timeouts = load(root, {"STACKPROOF_COMMAND_TIMEOUT": "2.5"}).timeouts
    assert (timeouts.start, timeouts.stop, timeouts.command) == (90.0, 5.0, 2.5)


def test_limits_are_for_all_services_or_for_one(root):
    text = "limits: {cpus: 1, memory: 1g, services: {api: {memory: 512m, pids: 99}}}\n"
    (root / "config" / "shop.yaml").write_text(CONFIG + text)
    settings = load(root)
    assert settings.limits == Limits(cpus=1, memory=1024**3)
    assert settings.service_limits == {"api": Limits(memory=512 * 1024**2, pids=99)}


def test_migrate_is_one_command_or_a_list_of_them(root):
    text = "migrate: {service: api, command: [alembic, upgrade, head]}\n"
    text += "seed:\n- {service: api, command: [load, 1]}\n- {service: db, command: [grant]}\n"
    (root / "config" / "shop.yaml").write_text(CONFIG + text)
    settings = load(root)
    assert settings.migrate == (Command("api", ("alembic", "upgrade", "head")),)
    assert settings.seed == (Command("api", ("load", "1")), Command("db", ("grant",)))


def test_values_of_variables_become_text_as_in_compose(root):
    text = CONFIG.replace("REGION: eu", "DEBUG: true\n  SIZE: 3\n  NOTHING:")
    (root / "config" / "shop.yaml").write_text(text)
    variables = load(root).variables
    assert [variables[one] for one in ("DEBUG", "SIZE", "NOTHING")] == ["true", "3", ""]


# What `${…}` of the stack file sees


def test_variables_come_from_the_config_and_the_env_file(root):
    (root / ".env.integration").write_text("POSTGRES_PASSWORD=from-file\n")
    settings = load(root)
    assert settings.variables == {"POSTGRES_PASSWORD": "from-file", "REGION": "eu"}


def test_until_the_env_file_is_made_its_example_stands_for_it(root):
    (root / ".env.integration.example").write_text("STACKPROOF_STACK=shop\nREGION=asia\n")
    (root / "config" / "other.yaml").write_text("compose_files: [../compose.yaml]\n")
    settings = load(root)
    assert (settings.stack, settings.variables["REGION"]) == ("shop", "asia")
    (root / ".env.integration").write_text("STACKPROOF_STACK=other\n")
    assert load(root).stack == "other"


def test_the_environment_changes_declared_variables_only(root):
    stray = {"REGION": "us", "DATABASE_URL": "postgresql://production/db"}
    variables = load(root, stray).variables
    assert variables["REGION"] == "us"
    assert "DATABASE_URL" not in variables


def test_a_variable_that_the_example_only_mentions_is_declared(root):
    (root / ".env.integration.example").write_text("# PYTHON_IMAGE=python:3.12-slim\n")
    assert load(root, {"PYTHON_IMAGE": "mine"}).variables["PYTHON_IMAGE"] == "mine"


def test_the_home_folder_is_always_seen(root):
    settings = load(root, {"HOME": "/home/ann"})
    assert settings.variables["HOME"] == "/home/ann"
    assert settings.source("variables.HOME") == "environment HOME"


# Secrets


def test_variables_that_end_like_a_secret_are_masked(root):
    lines = {line.key: line for line in explain(load(root))}
    assert lines["variables.POSTGRES_PASSWORD"].value == "********"
    assert lines["variables.POSTGRES_PASSWORD"].secret
    assert lines["variables.REGION"].value == "eu"


def test_a_listed_variable_is_a_secret_whatever_its_name(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "secrets: [REGION]\n")
    assert load(root).secret_values() == ("from-config", "eu")


def test_a_secret_inside_another_value_is_masked_too(root):
    text = "environment: {api: {URL: 'redis://:from-config@redis'}}\n"
    (root / "config" / "shop.yaml").write_text(CONFIG + text)
    lines = {line.key: line.value for line in explain(load(root))}
    assert lines["environment.api.URL"] == "redis://:********@redis"


def test_the_environment_of_services_holds_secrets_as_well(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "environment: {api: {MY_TOKEN: abcdef}}\n")
    assert "abcdef" in load(root).secret_values()


def test_settings_do_not_show_values_of_variables_in_their_repr(root):
    assert "from-config" not in repr(load(root))


def test_explain_tells_defaults_as_such(root):
    lines = {line.key: line.source for line in explain(load(root))}
    assert lines["timeouts.start"] == "default"
    assert lines["ports.message-queue.5672"] == "config/shop.yaml:8"


# Suites


def test_the_usual_suites_need_no_configuration(root):
    suite = load(root).suite("e2e_llm")
    assert (suite.paths, suite.marker) == (("tests/e2e_llm",), "e2e_llm")


def test_a_configured_suite_fills_in_its_marker(root):
    (root / "config" / "shop.yaml").write_text(CONFIG + "suites: {smoke: {profiles: [beat]}}\n")
    suite = load(root).suite("smoke")
    assert (suite.paths, suite.profiles, suite.marker) == (("tests/smoke",), ("beat",), "smoke")


def test_an_unknown_suite_is_named_with_the_one_that_may_be_meant(root):
    with pytest.raises(ConfigError, match="did you mean integration"):
        load(root).suite("integraton")


def test_the_configs_and_the_example_of_this_repository_fit_together(tmp_path):
    repository = Path(__file__).parents[3]
    shutil.copytree(repository / "config", tmp_path / "config")
    shutil.copy(repository / ".env.integration.example", tmp_path)
    assert ensure_env_file(tmp_path)
    assert load(tmp_path).stack == "runs"


# Mistakes


def test_without_a_config_folder_it_says_what_to_write(tmp_path):
    error = error_of(tmp_path)
    assert "no stack config" in error.what
    assert "compose_files" in error.remedy


def test_an_unknown_stack_is_named_with_those_that_exist(root):
    error = error_of(root, stack="shp")
    assert "config/ has shop" in error.observed
    assert error.remedy == "did you mean shop?"
    assert error.source == "command line"


def test_an_unknown_stack_in_the_env_file_is_named_with_its_line(root):
    (root / ".env.integration").write_text("\nSTACKPROOF_STACK=other\n")
    error = error_of(root)
    assert (error.source, error.line) == (".env.integration", 2)


def test_with_two_stacks_one_must_be_chosen(root):
    (root / "config" / "blog.yaml").write_text("stack: blog\ncompose_files: [a.yaml]\n")
    assert "there are blog, shop" in error_of(root).observed
    assert load(root, {"STACKPROOF_STACK": "blog"}).stack == "blog"


@pytest.mark.parametrize(
    "text", ["services: {api: {image: i}}\n", "x:\n  stack: a\n# compose_files: [a]\n", "- a", ""]
)
def test_a_file_of_another_kind_beside_the_configs_is_no_stack(root, text):
    (root / "config" / "overlay.yaml").write_text(text)
    assert stacks(root) == ("shop",)
    assert load(root).stack == "shop"


@pytest.mark.parametrize("text", ["{stack: a, compose_files: [b]}", "\ufeff'compose_files': [b]"])
def test_a_stack_config_is_known_by_its_keys_in_each_style(root, text):
    (root / "config" / "a.yaml").write_text(text)
    assert stacks(root) == ("a", "shop")


def test_a_config_that_is_alone_or_named_says_what_it_lacks(root):
    (root / "config" / "shop.yaml").write_text("compose_file: [a]\n")
    assert "did you mean compose_files?" in str(error_of(root))
    (root / "config" / "overlay.yaml").write_text("services: {}\n")
    assert "did you mean compose_files?" in str(error_of(root, stack="shop"))
    assert error_of(root).observed.endswith("is in overlay.yaml, shop.yaml")


@pytest.mark.parametrize(
    "name", ["config/shop.yaml", ".env.integration.example", ".env.integration"]
)
def test_a_byte_order_mark_is_no_part_of_a_file(root, name):
    texts = {"config/shop.yaml": CONFIG, ".env.integration.example": "REGION=us\n",
             ".env.integration": "REGION=asia\n"}  # fmt: skip
    for written, text in texts.items():
        (root / written).write_text(f"\ufeff{text}" if written == name else text)
    assert load(root).variables["REGION"] == "asia"
    (root / ".env.integration").unlink()
    assert load(root).variables["REGION"] == "us"


def test_all_mistakes_of_a_config_are_told_in_one_error(root):
    text = "engin: compose\nprots: {api: 1}\nlimits: {cpus: 0}\n"
    shown = str(config_error(root, CONFIG + text))
    assert shown.splitlines()[0].startswith("config/shop.yaml:9: engin")
    assert "also config/shop.yaml:10: prots: unknown key 'prots' (did you mean ports?)" in shown
    assert "also config/shop.yaml:11: limits.cpus: " in shown
    shown = str(config_error(root, CONFIG + "engine: docker\nlimits: {cpus: 0, pids: x}\n"))
    assert [f":{line}: " in shown for line in (9, 10)] == [True, True]
    assert shown.count("limits.") == 2


def test_a_config_with_another_stacks_name_is_refused(root):
    error = config_error(root, "stack: blog\ncompose_files: [a.yaml]\n")
    assert (error.line, error.key) == (1, "stack")


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("prots: {api: 1}", 9, "prots", "did you mean ports?"),
        ("timeouts:\n  strat: 3", 10, "timeouts.strat", "did you mean start?"),
        ("limits:\n  services:\n    api: {memroy: 3}", 11, "limits.services.api.memroy", "memory?"),
        (
            "limits: {services: {api: {service: 1}}}",
            9,
            "limits.services.api.service",
            "cpus, memory",
        ),
        ("seed: {service: api, comand: [a]}", 9, "seed.comand", "did you mean command?"),
        ("seed:\n- {service: api, comand: [a]}", 10, "seed[0].comand", "did you mean command?"),
        ("suites:\n  smoke: {path: [a]}", 10, "suites.smoke.path", "did you mean paths?"),
        ("engine: docker", 9, "engine", "process, compose or attached"),
        ("timeouts: {start: soon}", 9, "timeouts.start", "'soon'"),
        ("timeouts: {start: 0}", 9, "timeouts.start", "greater than 0"),
        ("limits: {memory: much}", 9, "limits.memory", "'much' is not a size"),
        ("database: {service: db, name: shop}", 9, "database.name", "end in _e2e or _test"),
        ("database: {service: db}", 9, "database", "'name' is missing"),
        ("project: Shop", 9, "project", "lower-case"),
        ("coverage: perhaps", 9, "coverage", "true or false"),
    ],
)
def test_a_mistake_in_the_config_is_named_with_line_and_key(root, text, line, key, said):
    error = config_error(root, CONFIG + text + "\n")
    assert (error.source, error.line, error.key) == ("config/shop.yaml", line, key)
    assert said in str(error)


def test_a_port_that_is_none_is_named(root):
    error = config_error(root, CONFIG.replace("18000", "180000"))
    assert (error.line, error.key) == (7, "ports.api")
    assert "between 1 and 65535" in error.what


def test_a_key_that_is_written_twice_is_refused(root):
    error = config_error(root, CONFIG + "stack: shop\n")
    assert (error.line, error.key) == (9, "stack")
    assert "first in line 1" in error.what


def test_an_anchor_and_a_merge_key_are_no_repetition(root):
    text = "environment:\n  api: &all {A: '1'}\n  web: &web {<<: *all, A: '2'}\n  job: *web\n"
    (root / "config" / "shop.yaml").write_text(CONFIG + text)
    assert load(root).environment["job"] == {"A": "2"}


@pytest.mark.parametrize("text", ["stack: [", "- a", "a: &a [*a]", "stack: \0", "? {a: b}\n: c"])
def test_a_file_that_is_no_mapping_is_a_config_error(root, text):
    assert config_error(root, text).source == "config/shop.yaml"


def test_a_file_that_is_no_text_is_a_config_error(root):
    (root / "config" / "shop.yaml").write_bytes(b"\xff\xfe")
    assert "can't be read" in error_of(root).what


def test_a_bad_value_of_the_environment_is_blamed_on_it(root):
    error = error_of(root, {"STACKPROOF_PORT_API": "high"})
    assert error.source == "environment STACKPROOF_PORT_API"


def test_an_unknown_setting_in_the_environment_is_named_with_the_one_that_may_be_meant(root):
    error = error_of(root, {"STACKPROOF_ENGIN": "process"})
    assert error.remedy == "did you mean STACKPROOF_ENGINE?"


def test_variables_that_stackproof_sets_itself_are_no_mistake(root):
    names = ["STATE_DIR", "RUN", "REAPER_FD", "SERVICE", "CACHE_DIR"]
    load(root, {f"STACKPROOF_{name}": "/x" for name in names})


def test_a_variable_of_stackproofs_own_is_refused_in_the_env_file(root):
    (root / ".env.integration").write_text("STACKPROOF_RUN=1\n")
    assert error_of(root).line == 1


def test_a_variable_that_the_example_does_not_explain_is_refused(root):
    (root / ".env.integration.example").write_text("POSTGRES_PASSWORD=\n")
    (root / ".env.integration").write_text("A='1\n2'\nPOSTGRES_PASWORD=x\n")
    (root / ".env.integration.example").write_text("POSTGRES_PASSWORD=\nA=\n")
    error = error_of(root)
    assert (error.source, error.line) == (".env.integration", 3)
    assert "did you mean POSTGRES_PASSWORD?" in error.remedy


def test_evidence_is_views_and_queries(root):
    written = "evidence: {sql: [recent_orders, audit.trail, 'select 1 as n;']}\n"
    (root / "config" / "shop.yaml").write_text(CONFIG + written)
    assert load(root).evidence == (
        "select * from recent_orders",
        "select * from audit.trail",
        "select 1 as n",
    )


@pytest.mark.parametrize("sql", ["drop table x", "select 1; drop table x", "", "a view", "a.b.c"])
def test_evidence_that_is_no_single_query_is_refused(root, sql):
    error = config_error(root, CONFIG + f"evidence: {{sql: [{sql!r}]}}\n")
    assert error.key == "evidence.sql[0]"
    assert "neither the name of a view nor one query" in error.what
