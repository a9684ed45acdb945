"""A stack that somebody else has started: what its addresses give, and what is refused."""

import pytest

from stackproof import lifecycle
from stackproof.errors import ConfigError, NotAttached
from stackproof.lifecycle import Choice

pytest_plugins = ["pytester"]

COMPOSE = (
    "services: {api: {image: 'shop:1'}, worker: {image: 'shop:1'}, db: {image: 'postgres:16'}}"
)
CONFIG = (
    "stack: shop\ncompose_files: [../compose.yaml]\nmigrate: {service: api, command: [migrate]}\n"
)
API = {"STACKPROOF_ATTACHED_API": "http://shop.example:8080"}
PASSWORD = "p4ss%2Fword"
DATABASE = {"STACKPROOF_ATTACHED_DB": f"postgresql://ann:{PASSWORD}@db.example/shop"}


@pytest.fixture
def project(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shop.yaml").write_text(CONFIG)
    (tmp_path / "compose.yaml").write_text(COMPOSE)
    return tmp_path


@pytest.fixture
def attached(project):
    """What is resolved with these addresses."""

    def resolve(addresses=API):
        environment = {"STACKPROOF_STATE_DIR": str(project / "state"), **addresses}
        return lifecycle.resolve(Choice(project, environment, engine="attached"))

    return resolve


def silent(line):
    pass


def test_an_address_is_where_the_service_is_reached(attached):
    stack = lifecycle.connect(attached())

    assert stack.url("api") == "http://shop.example:8080"


def test_the_usual_port_of_a_scheme_need_not_be_said(attached):
    stack = lifecycle.connect(attached({"STACKPROOF_ATTACHED_API": "https://shop.example"}))

    assert stack.url("api") == "https://shop.example:443"


def test_a_database_is_reached_with_its_user_and_password(attached):
    stack = lifecycle.connect(attached(DATABASE))

    assert stack.dsn() == f"postgresql://ann:{PASSWORD}@db.example:5432/shop"
    argv, environment = stack.psql_command(["-c", "select 1"], "db")
    assert argv[3:9] == ["-h", "db.example", "-p", "5432", "-U", "ann"]
    assert environment == {"PGPASSWORD": "p4ss/word"}


def test_the_password_in_an_address_is_never_shown(attached):
    blueprint = attached(DATABASE)

    shown = "\n".join(str(line) for line in blueprint.settings.explain())
    assert PASSWORD not in shown
    assert {PASSWORD, "p4ss/word"} <= set(blueprint.plan.secrets)


@pytest.mark.parametrize(
    "url",
    ["shop.example", "http://", "ftp://shop.example", "http://h:0", "http://h:x", "http://h/x"],
)
def test_an_address_that_cannot_be_read_is_an_error(attached, url):
    with pytest.raises(ConfigError, match="the address of api can't be read"):
        attached({"STACKPROOF_ATTACHED_API": url})


def test_an_attached_stack_without_an_address_is_an_error(attached):
    with pytest.raises(ConfigError, match="needs to know where shop is"):
        attached({})


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "pause", "unpause"])
def test_its_services_are_left_alone(attached, verb):
    service = lifecycle.connect(attached()).service("api")

    with pytest.raises(NotAttached, match=f"can't {verb} api, which it did not start"):
        getattr(service, verb)()


def test_no_command_but_psql_is_run(attached):
    with pytest.raises(NotAttached, match="can't run sh in api"):
        lifecycle.connect(attached()).service("api").exec(["sh"])


def test_it_is_neither_started_nor_migrated(attached):
    blueprint = attached()

    with pytest.raises(NotAttached, match="can't start a stack that it only attaches to"):
        lifecycle.up(blueprint, silent)
    with pytest.raises(NotAttached, match="can't migrate a stack that it only attaches to"):
        lifecycle.migrate(blueprint, lifecycle.connect(blueprint), silent)
    assert lifecycle.down(blueprint, silent) is False


def test_a_test_that_needs_more_is_skipped_and_says_why(pytester, project, monkeypatch):
    monkeypatch.setenv("STACKPROOF_STATE_DIR", str(project / "state"))
    monkeypatch.setenv("STACKPROOF_ATTACHED_API", API["STACKPROOF_ATTACHED_API"])
    scenarios = project / "test_shop.py"
    scenarios.write_text("""
import pytest

def test_reaches_it(stack):
    assert stack.url("api") == "http://shop.example:8080"

def test_kills(stack):
    stack.service("api").kill()

def test_wants_another_service(stack):
    stack.url("worker")

def test_wants_the_gateway(gateway, stack):
    pass

@pytest.mark.stack(env={"api": {"DEBUG": "1"}})
def test_wants_an_environment(stack):
    pass
""")

    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "--rootdir", project, "--engine", "attached", "-rs", scenarios
    )

    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*can't kill api, which it did not start*",
            "*the service worker is not attached*STACKPROOF_ATTACHED_WORKER*",
            "*the gateway of shop is not attached*",
            "*wants profiles, an environment or limits*",
        ]
    )
