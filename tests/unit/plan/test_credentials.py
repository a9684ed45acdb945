"""A password of a server that nobody has set is a secret, wherever that is certain to be right."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof.plan.services.credentials import unset_passwords, with_credentials
from stackproof.settings import explain, load_settings
from stackproof.stack_file import load_stack_file

SECRET = "5ec2e7" * 6
DATABASE = "    image: postgres:16\n    environment: {POSTGRES_PASSWORD: '${PW:-shop}'}\n"
CONFIG = "stack: shop\ncompose_files: [../compose.yaml]\n"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


class Project:
    """A project whose services are given as they stand in a Compose file."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "config").mkdir(exist_ok=True)

    def settings(self, services, config="", secret=lambda _name: SECRET):
        body = "".join(
            f"  {name}:\n{textwrap.indent(textwrap.dedent(text).strip(), '    ')}\n"
            for name, text in services.items()
        )
        (self.folder / "compose.yaml").write_text(f"services:\n{body}")
        (self.folder / "config/shop.yaml").write_text(CONFIG + config)
        read = load_settings(self.folder, stack="shop", environment={})
        return with_credentials(read, secret)

    def password(self, services, **more):
        return self.settings(services, **more).variables.get("PW", "")


def api(environment):
    return f"image: api\nenvironment: {{{environment}}}"


AGREES = api("URL: 'postgres://postgres:${PW:-shop}@db/postgres'")


def test_the_server_and_those_that_use_it_get_the_same_secret(project):
    read = project.settings({"db": DATABASE, "api": AGREES})
    services = load_stack_file(read.compose_files, read.variables).services
    assert services["db"].environment["POSTGRES_PASSWORD"] == SECRET
    assert services["api"].environment["URL"] == f"postgres://postgres:{SECRET}@db/postgres"


BROKER = "image: rabbitmq:3\nenvironment: {RABBITMQ_DEFAULT_PASS: '${PW:-guest}'}"


def test_a_broker_and_those_that_use_it_get_the_same_secret(project):
    used = api("BROKER_URL: 'amqp://guest:${PW:-guest}@mq//'")
    read = project.settings({"mq": BROKER, "api": used})
    services = load_stack_file(read.compose_files, read.variables).services
    assert services["mq"].environment["RABBITMQ_DEFAULT_PASS"] == SECRET
    assert services["api"].environment["BROKER_URL"] == f"amqp://guest:{SECRET}@mq//"


def test_the_default_of_a_broker_stays_where_somebody_uses_it_by_itself(project):
    used = api("BROKER_URL: 'amqp://guest:guest@mq//'")
    assert project.password({"mq": BROKER, "api": used}) == ""


def test_it_is_masked_and_said(project):
    read = project.settings({"db": DATABASE})
    assert SECRET in read.secret_values()
    assert all(SECRET not in line.value for line in explain(read))
    (said,) = unset_passwords(read)
    assert said.startswith("PW is not set, so a generated secret is used; set it")


@pytest.mark.parametrize("form", ["$PW", "${PW}", "${PW:-x}", "${PW-x}", "${PW:?set it}", "${PW?}"])
def test_every_form_of_a_variable_counts(project, form):
    text = f"image: postgres:16\nenvironment: ['POSTGRES_PASSWORD={form}']"
    assert project.password({"db": text}) == SECRET


@pytest.mark.parametrize(
    "command",
    [
        "redis-server --requirepass ${PW:-x}",
        '["redis-server", "--requirepass", "${PW:-x}"]',
        "sh -c 'exec redis-server --requirepass \"${PW}\"'",
    ],
)
def test_the_password_of_redis_counts_too(project, command):
    services = {
        "cache": f"image: redis:7\ncommand: {command}",
        "api": api("R: 'redis://:${PW:-x}@cache'"),
    }
    assert project.password(services) == SECRET
    services["worker"] = api("R: 'redis://:x@cache'")
    assert project.password(services) == ""


def test_what_somebody_has_set_stays(project):
    services = {"db": DATABASE}
    assert project.password(services, config="variables: {PW: mine}\n") == "mine"
    assert project.password(services, config="variables: {PW: ''}\n") == ""
    (project.folder / ".env").write_text("PW=from-env-file\n")
    assert project.password(services) == ""


@pytest.mark.parametrize(
    "text",
    [
        "image: postgres:16\nenvironment: {POSTGRES_PASSWORD: 'a${PW:-shop}'}",
        "image: postgres:16\nenvironment: {POSTGRES_PASSWORD: shop, OTHER: '${PW:-shop}'}",
        "image: mine/postgres-like\nenvironment: {POSTGRES_PASSWORD: '${PW:-shop}'}",
        "build: .\nenvironment: {POSTGRES_PASSWORD: '${PW:-shop}'}",
        DATABASE + "    healthcheck: {test: PGPASSWORD=shop psql -U postgres}",
        "image: postgres:16\nenvironment: {POSTGRES_PASSWORD: '${PW:-shop}', PGPASSWORD: shop}",
    ],
)
def test_a_server_whose_password_is_not_that_variable_alone_keeps_it(project, text):
    assert project.password({"db": text}) == ""


DOUBTFUL = [
    api("URL: 'postgres://postgres:shop@db/postgres'"),
    api("DB_HOST: db, DB_PASSWORD: shop"),
    api("DB_HOST: db"),
    api("DB_HOST: db, DB_PASSWORD: '${OTHER:-shop}'"),
    "image: api\ndepends_on: [db]",
    "image: api\ncommand: migrate --host db --password shop",
    "image: api\nhealthcheck: {test: nc -z db 5432}",
    "image: api\nlinks: ['db:database']\nenvironment: {HOST: database}",
    "build: {context: ., args: {PW: '${PW:-shop}'}}",
    api("ANYWHERE: 'postgres://u:shop@10.0.0.1/x', PW: '${PW}'"),
]
CERTAIN = [
    AGREES,
    api("DB_HOST: db, DB_PASSWORD: '${PW:-shop}'"),
    api("DB_HOST: db, DB_USER: shop, DB_PASSWORD: '${PW:-another default}'"),
    "image: api\ncommand: serve --db postgres://shop:${PW:-shop}@db/shop",
    "image: api\ndepends_on: [db]\nenvironment: {PGPASSWORD: '${PW}'}",
    api("NAME: shop, GREETING: 'hello shop, and dbs'"),
    api("MAIL_HOST: mail.db-hosting.example"),
]


@given(st.lists(st.sampled_from([*DOUBTFUL, *CERTAIN]), max_size=4))
@settings(max_examples=60)
def test_a_secret_is_used_exactly_where_every_service_agrees(tmp_path_factory, others):
    project = Project(tmp_path_factory.mktemp("project"))
    services = {"db": DATABASE, **{f"s{at}": text for at, text in enumerate(others)}}
    expected = "" if set(others) & set(DOUBTFUL) else SECRET
    assert project.password(services) == expected, others


def test_what_the_stack_config_says_of_a_service_counts(project):
    services = {"db": DATABASE, "api": AGREES}
    literal = "environment: {api: {URL: 'postgres://postgres:shop@db/postgres'}}\n"
    assert project.password(services, config=literal) == ""
    seed = "seed: {service: db, command: [sh, -c, 'PGPASSWORD=shop psql']}\n"
    assert project.password(services, config=seed) == ""


def test_a_default_in_a_mounted_file_counts(project):
    (project.folder / "init").mkdir()
    (project.folder / "init/1.sql").write_text("create role app password 'shop';")
    text = DATABASE + "    volumes: ['./init:/docker-entrypoint-initdb.d:ro']"
    assert project.password({"db": text}) == ""
    (project.folder / "init/1.sql").write_text("create role app password 'other';")
    assert project.password({"db": text}) == SECRET


def test_two_servers_with_a_variable_each_get_their_own(project):
    text = "image: postgres:16\nenvironment: {POSTGRES_PASSWORD: '${B:?}'}"
    read = project.settings({"db": DATABASE, "two": text}, secret=lambda name: f"secret-of-{name}")
    assert read.variables == {"PW": "secret-of-PW", "B": "secret-of-B"}


MARIADB = """
    image: mariadb:11
    environment:
      MYSQL_ROOT_PASSWORD: '${PW:-root}'
      MARIADB_USER: app
      MARIADB_PASSWORD: "of-the-app"
"""


@pytest.mark.parametrize(
    ("other", "is_secret"),
    [
        ("URL: 'mysql://app:of-the-app@db/shop'", True),
        ("DB_HOST: db, DB_PASSWORD: of-the-app", True),
        ("DB_HOST: db, DB_PASSWORD: '${PW:-root}'", True),
        ("DB_HOST: db, PATHS: /of-the-app/x", False),
        ("DB_HOST: db, DB_PASSWORD: root", False),
        ("OPTIONS: '-uroot -proot -h db', OTHER: '${PW:-root}'", False),
    ],
)
def test_root_of_a_mariadb_gets_a_secret_where_others_are_known_to_use_another_user(
    project, other, is_secret
):
    found = project.password({"db": MARIADB, "api": api(other)})
    assert found == (SECRET if is_secret else "")


def test_the_user_of_a_mysql_gets_a_secret(project):
    text = "image: mysql:8\nenvironment: {MYSQL_ROOT_PASSWORD: r, MYSQL_PASSWORD: '${PW:-shop}'}"
    uses = api("URL: 'mysql://app:${PW:-shop}@db/shop'")
    assert project.password({"db": text, "api": uses}) == SECRET
    (project.folder / "init.sql").write_text("create user x identified by 'shop';")
    mounted = f"{text}\nvolumes: ['./init.sql:/docker-entrypoint-initdb.d/init.sql']"
    assert project.password({"db": mounted, "api": uses}) == ""
