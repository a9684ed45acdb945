"""What a service would reach outside its stack is found in every form that a client takes.

The stack has `db` (PostgreSQL), `cache` (Redis), `queue` (AMQP), `mongo`, `api` (HTTP). On the
process engine container port N is port N + 10000 of this machine.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stackproof.plan.addressing.addresses import Addresses
from stackproof.plan.addressing.guard import foreign_targets
from stackproof.plan.model import Endpoint, Plan, ServicePlan
from stackproof.plan.reach import Reach
from stackproof.readiness.probes import CommandProbe

SERVERS = {"db": (5432, "postgresql"), "cache": (6379, "redis"), "queue": (5672, "amqp"),
           "mongo": (27017, "tcp"), "api": (8000, "http")}  # fmt: skip


def plan_of(environment, *, engine="compose", argv=("serve",), external=(), reach=None, **values):
    services = [
        ServicePlan(
            name, (), {}, endpoints=(Endpoint(name, port, "127.0.0.1", port + 10000, scheme),)
        )
        for name, (port, scheme) in SERVERS.items()
    ]
    app = ServicePlan("app", argv, environment, working_dir=Path("/srv/shop"))
    if reach is not None:
        app = ServicePlan("app", argv, environment, reach=reach)
    return Plan(
        "shop",
        "shop-e2e",
        engine,
        run_folder=Path("/run/shop-e2e"),
        services=(*services, app),
        addresses=Addresses({name: name for name in [*SERVERS, "app"]}, {}, {8000: 18000}),
        external=external,
        **values,
    )


def found(environment, **options):
    findings = foreign_targets(plan_of(environment, **options))
    return [one.target.address or "default" for one in findings if one.is_outside]


def names(environment, **options):
    findings = foreign_targets(plan_of(environment, **options), writes=True)
    return [one.target.database for one in findings if not one.is_outside]


DJANGO = json.dumps(
    {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": "prod.example",
            "NAME": "x_e2e",
        }
    }
)

OUTSIDE = [
    # libpq: "Connection URIs" and "Parameter Key Words" of the PostgreSQL documentation
    ("postgresql://prod/x_e2e", "prod:5432"),
    ("postgres://u:p@prod.example:5433/x_e2e", "prod.example:5433"),
    ("  postgresql://u@prod.example/x_e2e ", "prod.example:5432"),
    ("'postgresql://u@prod.example/x_e2e'", "prod.example:5432"),
    ('"postgresql://u@prod.example/x_e2e"', "prod.example:5432"),
    ("POSTGRESQL://U@PROD.example/x_e2e", "prod.example:5432"),
    ("postgresql://u:p@pr%6Fd.example/x_e2e", "prod.example:5432"),
    ("postgresql://db,prod.example/x_e2e", "prod.example:5432"),
    ("postgresql://db:5432,prod.example:5433/x_e2e", "prod.example:5433"),
    ("postgresql://db/x_e2e?host=prod.example&port=5433", "prod.example:5433"),
    ("postgresql://db/x_e2e?hostaddr=10.0.0.5", "10.0.0.5:5432"),
    ("postgresql://db/x_e2e?sslmode=disable&HOST=prod.example", "prod.example:5432"),
    ("postgresql:///x_e2e?host=db&host=prod.example", "prod.example:5432"),
    ("postgresql:///x_e2e?host=db,prod.example&port=5432,5433", "prod.example:5433"),
    ("postgresql:///x_e2e?service=prod", "service=prod"),
    ("postgresql://[2001:db8::1]:5432/x_e2e", "[2001:db8::1]:5432"),
    ("postgresql://u:p@[2001:db8::1]/x_e2e", "[2001:db8::1]:5432"),
    ("host=prod.example dbname=x_e2e", "prod.example:5432"),
    ("host = 'prod.example' port = 5433 dbname = 'x_e2e'", "prod.example:5433"),
    ("hostaddr=10.0.0.5 host=db dbname=x_e2e", "10.0.0.5:5432"),
    ("host=db,prod.example dbname=x_e2e user=u", "prod.example:5432"),
    ("service=prod dbname=x_e2e", "service=prod"),
    ("dbname=x_e2e password='it\\'s' host=prod.example", "prod.example:5432"),
    # "Database URLs" of SQLAlchemy
    ("postgresql+psycopg://u:p@prod/x_e2e", "prod:5432"),
    ("postgresql+asyncpg://u:p@w@prod.example/x_e2e", "prod.example:5432"),
    ("postgresql://u:p/w@prod.example/x_e2e", "prod.example:5432"),
    ("postgresql://u:p#w@prod.example/x_e2e", "prod.example:5432"),
    ("postgresql://u:p w@prod.example/x_e2e", "prod.example:5432"),
    ("postgresql+psycopg2://u:p@/x_e2e?host=prod.example:5433", "prod.example:5433"),
    ("mysql+pymysql://u:p@prod.example/x_e2e?charset=utf8", "prod.example:3306"),
    ("mariadb+mariadbconnector://u@prod.example/x_e2e", "prod.example:3306"),
    ("mssql+pyodbc://u:p@prod.example/x_e2e?driver=ODBC", "prod.example:1433"),
    (
        "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC%7D%3BSERVER%3Dprod.example%3BDATABASE%3Dx_e2e",
        "prod.example:1433",
    ),
    ("oracle+oracledb://u:p@prod.example:1521/?service_name=x", "prod.example:1521"),
    ("cockroachdb://u@prod.example:26257/x_e2e", "prod.example:26257"),
    ("clickhouse+native://prod.example/x", "prod.example:9000"),
    ("snowflake://u:p@account/x", "account"),
    # dj-database-url and django-environ
    ("postgis://u:p@prod.example/x_e2e", "prod.example:5432"),
    ("psql://u:p@prod.example/x_e2e", "prod.example:5432"),
    ("mysqlgis://u:p@prod.example/x_e2e", "prod.example:3306"),
    ("mysql2://u:p@prod.example/x_e2e", "prod.example:3306"),
    ("mssqlms://u:p@prod.example/x_e2e", "prod.example:1433"),
    ("rediscache://prod.example:6379/1", "prod.example:6379"),
    ("smtp+tls://u:p@mail.example:587", "mail.example:587"),
    ("pymemcache://prod.example:11211", "prod.example:11211"),
    # redis-py, kombu, Celery
    ("redis://:p@prod.example/0", "prod.example:6379"),
    ("rediss://prod.example:6380/0", "prod.example:6380"),
    ("valkey://prod.example", "prod.example:6379"),
    ("redis://cache/0,redis://prod.example/0", "prod.example:6379"),
    ("sentinel://cache:26379;sentinel://prod.example:26379", "prod.example:26379"),
    ("amqp://u:p@prod.example//", "prod.example:5672"),
    ("amqps://u:p@prod.example/vhost", "prod.example:5671"),
    ("pyamqp://queue//;pyamqp://prod.example//", "prod.example:5672"),
    ("sqs://", "sqs.amazonaws.com:443"),
    ("sqs://key:secret@", "sqs.amazonaws.com:443"),
    ("confluentkafka://prod.example:9092", "prod.example:9092"),
    ("kafka://queue:9092,prod.example:9092", "prod.example:9092"),
    ("db+postgresql://u:p@prod.example/x_e2e", "prod.example:5432"),
    ("cache+memcached://prod.example:11211/", "prod.example:11211"),
    # "Connection String URI Format" of pymongo
    ("mongodb://u:p@mongo:27017,prod.example:27018/x_e2e?replicaSet=a", "prod.example:27018"),
    ("mongodb+srv://u:p@cluster.mongodb.example/x_e2e", "cluster.mongodb.example:27017"),
    # JDBC: pgJDBC, Connector/J, MariaDB, SQL Server and Oracle
    ("jdbc:postgresql://prod.example/x_e2e", "prod.example:5432"),
    ("jdbc:postgresql://db:5432,prod.example:5433/x_e2e?targetServerType=primary",
     "prod.example:5433"),
    ("jdbc:mysql://prod.example:3307/x_e2e", "prod.example:3307"),
    ("jdbc:mysql:loadbalance://db:3306,prod.example:3306/x_e2e", "prod.example:3306"),
    ("jdbc:mysql://address=(host=prod.example)(port=3306)/x_e2e", "prod.example:3306"),
    ("jdbc:sqlserver://prod.example:1433;databaseName=x_e2e;encrypt=true", "prod.example:1433"),
    ("jdbc:sqlserver://prod.example\\main:1433;databaseName=x_e2e", "prod.example:1433"),
    ("jdbc:sqlserver://;serverName=prod.example;databaseName=x_e2e", "prod.example:1433"),
    ("jdbc:oracle:thin:@prod.example:1521:x", "prod.example:1521"),
    ("jdbc:oracle:thin:@//prod.example:1521/x", "prod.example:1521"),
    ("r2dbc:postgresql://prod.example/x_e2e", "prod.example:5432"),
    # .NET, PHP, Go, Node, Elixir
    ("Server=prod.example;Database=x_e2e;User Id=u;Password=p", "prod.example"),
    ("Server=tcp:prod.example,1433;Initial Catalog=x_e2e;Encrypt=True", "prod.example:1433"),
    ("Data Source=prod.example\\SQLEXPRESS;Initial Catalog=x_e2e", "prod.example:1433"),
    ("Host=prod.example;Port=5433;Database=x_e2e;Username=u", "prod.example:5433"),
    ('Host=prod.example;Password="a;b=c";Database=x_e2e', "prod.example"),
    ("DefaultEndpointsProtocol=https;AccountName=prod;AccountKey=k;EndpointSuffix=core.windows.net",
     "prod.blob.core.windows.net"),
    ("Endpoint=sb://ns.servicebus.example/;SharedAccessKeyName=a;SharedAccessKey=k",
     "ns.servicebus.example"),
    ("pgsql:host=prod.example;dbname=x_e2e", "prod.example:5432"),
    ("mysql:host=prod.example;port=3307;dbname=x_e2e", "prod.example:3307"),
    ("u:p@tcp(prod.example:3306)/x_e2e?parseTime=true", "prod.example:3306"),
    ("ecto://u:p@prod.example/x_e2e", "prod.example:5432"),
    ("prisma+postgres://accelerate.example/?api_key=k", "accelerate.example:5432"),
    # the web, and what nobody knows
    ("https://payments.example/v1", "payments.example:443"),
    ("wss://feed.example/live", "feed.example:443"),
    ("http://api:8000,https://payments.example", "payments.example:443"),
    ("http://10.1.2.3:8080", "10.1.2.3:8080"),
    ("http://host.docker.internal:9000", "host.docker.internal:9000"),
    ("https://key@o1.ingest.sentry.example/2", "o1.ingest.sentry.example:443"),
    ("quux://prod.example:9/x", "prod.example:9"),
    ("tcp://prod.example:2375", "prod.example:2375"),
    ("s3://prod-bucket/path", "prod-bucket"),
    # values inside others
    ('{"url": "postgresql://u:p@prod.example/x_e2e"}', "prod.example:5432"),
    (DJANGO, "prod.example:5432"),
    ('["redis://cache", "redis://prod.example"]', "prod.example:6379"),
    ('[{"broker": {"hosts": ["amqp://prod.example"]}}]', "prod.example:5672"),
    ("--broker redis://prod.example/0 --loglevel info", "prod.example:6379"),
    # bare pairs
    ("payments.example:8443", "payments.example:8443"),
    ("10.0.0.5:5432", "10.0.0.5:5432"),
    ("queue:9092,prod.example:9092", "prod.example:9092"),
    ("prod.example:6380,password=p,ssl=True,abortConnect=False", "prod.example:6380"),
]  # fmt: skip


@pytest.mark.parametrize("engine", ["compose", "process"])
@pytest.mark.parametrize(("value", "address"), OUTSIDE, ids=[one[0][:60] for one in OUTSIDE])
def test_what_leads_elsewhere_is_found(value, address, engine):
    assert found({"VALUE": value}, engine=engine) == [address]


INSIDE = [
    "postgresql+psycopg://u:p@db:5432/x_e2e",
    "postgresql://u:p@DB/x_e2e",
    "postgresql://u:p@db:5432,db:5432/x_e2e",
    "postgresql:///x_e2e?host=db",
    "postgresql://db/x_e2e?host=db&port=5432&options=-csearch_path%3Da",
    "host=db port=5432 dbname=x_e2e",
    "Host=db;Port=5432;Database=x_e2e;Username=u;Password=p",
    "jdbc:postgresql://db:5432/x_e2e",
    "jdbc:tc:postgresql:16:///x_e2e",
    "jdbc:h2:mem:x",
    "mongodb://root:p@mongo:27017/admin",
    "redis://:p@cache:6379/0",
    "redis://cache",
    "amqp://guest:guest@queue:5672//",
    "http://api:8000/v1",
    "http://api",
    "http://localhost:3000",
    "http://localhost:3000,https://localhost:3001",
    "http://127.0.0.1:8000",
    "http://[::1]:8000",
    "http://shop.localhost:8000",
    "http://nowhere.invalid/",
    "sqlite://",
    "sqlite:///:memory:",
    "sqlite+aiosqlite:///file:x?mode=memory&cache=shared&uri=true",
    "memory://",
    "cache+memory://",
    "rpc://",
    "dbcache://my_table",
    "file:///etc/hosts",
    "console://",
    "git+https://git.example/shop.git",
    "urn:ietf:params:oauth",
    "app.main:app",
    "celery@%h",
    "redis:7",
    "ghcr.example/shop/api:1.2",
    "localhost/stackproof/postgres:16",
    "python:3.12-slim",
    "node:20",
    "1000:1000",
    "12:30:00",
    "16:9",
    "key: value",
    "a=b",
    "a=b,c=d",
    "0.0.0.0",
    "0.0.0.0:8000",
    ":8000",
    "*",
    "true",
    "me@mail.example",
    "Shop <shop@mail.example>",
    "git@git.example:shop/api.git",
    "/app/config.toml",
    "/var/lib/x:/data:ro",
    "%(asctime)s %(levelname)s: %(message)s",
    '<root xmlns="http://www.w3.org/2000/svg"><a href="https://docs.example/x"/></root>',
    "See https://docs.example/setup for how to set this.",
    "Mozilla/5.0 (compatible; shop; +https://shop.example/bot)",
    '{"$schema": "https://json-schema.example/draft"}',
    "http://${HOST}:8000",
    "http://{host}/x",
    "https://*.shop.example",
    "{",
    "[1, 2",
    "://",
    "http://",
    "x://",
    "postgresql+psycopg",
    "django.db.backends.postgresql",
    "select 1",
    "-c max_connections=100",
    "host=",
]


@pytest.mark.parametrize("value", INSIDE)
def test_what_is_the_stacks_own_or_no_address_passes(value):
    assert found({"VALUE": value}) == []
    assert names({"VALUE": value}) == []


@pytest.mark.parametrize(
    "environment",
    [
        {"HOST": "0.0.0.0"},
        {"HOST": "api.shop.example"},
        {"HOSTNAME": "worker-1.example"},
        {"ALLOWED_HOSTS": "shop.example,www.shop.example"},
        {"DJANGO_ALLOWED_HOSTS": "shop.example"},
        {"VIRTUAL_HOST": "shop.example"},
        {"LETSENCRYPT_HOST": "shop.example"},
        {"RABBITMQ_DEFAULT_VHOST": "orders"},
        {"AMQP_VHOST": "orders", "AMQP_PORT": "5672"},
        {"CORS_ORIGINS": "https://shop.example,https://www.shop.example"},
        {"CSRF_TRUSTED_ORIGINS": "https://shop.example"},
        {"PUBLIC_URL": "https://shop.example"},
        {"NEXT_PUBLIC_API_URL": "https://api.shop.example"},
        {"OAUTH_REDIRECT_URI": "https://shop.example/callback"},
        {"JWT_AUDIENCE": "https://shop.example"},
        {"SVG_NAMESPACE": "http://www.w3.org/2000/svg"},
        {"PIP_INDEX_URL": "https://index.example/simple"},
        {"POSTGRES_IMAGE": "registry.example:5000/postgres:16"},
        {"SUPPORT_ADDRESS": "help@shop.example"},
        {"BILLING_ADDRESS": "1 Main Street"},
        {"APP_SERVER": "gunicorn"},
        {"DB_HOST": "db", "DB_PORT": "5432", "DB_NAME": "x_e2e"},
        {"DB_HOST": " 'db' ", "DB_NAME": "x_test"},
        {"REDIS_HOST": "cache", "REDIS_DB": "0"},
        {"PGHOST": "db", "PGDATABASE": "x_e2e"},
        {"PGPASSFILE": "/run/secrets/pgpass", "PGHOST": "db"},
        {"AWS_ENDPOINT_URL": "http://api:8000", "BUCKET": "s3://uploads/x"},
        {"NO_PROXY": "localhost,shop.example"},
        {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://shop.example:9092"},
        {"PATH": "/usr/bin:/bin"},
        {"GUNICORN_BIND": "0.0.0.0:8000"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_what_a_variables_name_tells_to_others_passes(environment):
    assert found(environment) == []
    assert names(environment) == []


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"PGHOST": "prod.example"}, "prod.example:5432"),
        ({"PGHOST": "db,prod.example", "PGPORT": "5432,5433"}, "prod.example:5433"),
        ({"PGHOSTADDR": "10.0.0.5", "PGHOST": "db"}, "10.0.0.5:5432"),
        ({"PGSERVICE": "prod"}, "service=prod"),
        ({"POSTGRES_HOST": "prod.example", "POSTGRES_DB": "x_e2e"}, "prod.example:5432"),
        ({"MYSQL_HOST": "prod"}, "prod:3306"),
        ({"DB_HOST": "prod", "DB_NAME": "x_e2e"}, "prod"),
        ({"DB_HOST": "prod.example", "DB_PORT": "5432"}, "prod.example:5432"),
        ({"DB_HOST": " prod.example "}, "prod.example"),
        ({"DB_HOST": "'prod.example'"}, "prod.example"),
        ({"DB_HOST": "10.0.0.5", "DB_ENGINE": "django.db.backends.mysql"}, "10.0.0.5:3306"),
        ({"DATABASE_HOSTNAME": "prod.example"}, "prod.example"),
        ({"SHOP_DB_SERVER": "prod.example"}, "prod.example"),
        ({"REDIS_HOST": "prod"}, "prod:6379"),
        ({"CACHE_REDIS_ADDR": "prod.example:6380"}, "prod.example:6380"),
        ({"RABBITMQ_HOST": "prod.example"}, "prod.example:5672"),
        ({"KAFKA_BOOTSTRAP_SERVERS": "queue:9092,prod.example:9092"}, "prod.example:9092"),
        ({"ELASTICSEARCH_HOSTS": "prod.example"}, "prod.example:9200"),
        ({"EMAIL_HOST": "smtp.mail.example", "EMAIL_PORT": "587"}, "smtp.mail.example:587"),
        ({"PAYMENTS_HOST": "payments.example"}, "payments.example"),
        ({"PAYMENTS_ENDPOINT": "payments.example:8443"}, "payments.example:8443"),
        ({"db_host": "prod.example"}, "prod.example"),
        ({"CELERY_OPTS": "--broker=redis://prod.example/0"}, "prod.example:6379"),
        ({"WEBHOOK_OPTS": "--to https://hooks.example/x"}, "hooks.example:443"),
    ],
    ids=lambda one: one if isinstance(one, str) else next(iter(one)),
)
def test_separate_variables_are_looked_at_as_well(environment, address):
    assert found(environment) == [address]


@pytest.mark.parametrize(
    ("argv", "address"),
    [
        (["psql", "-h", "prod.example", "-d", "x_e2e"], "prod.example:5432"),
        (["psql", "-hprod.example", "x_e2e"], "prod.example:5432"),
        (["psql", "--host=prod.example", "--port=5433", "x_e2e"], "prod.example:5433"),
        (["psql", "postgresql://prod.example/x_e2e"], "prod.example:5432"),
        (["psql", "host=prod.example dbname=x_e2e"], "prod.example:5432"),
        (["psql", "-d", "host=prod.example dbname=x_e2e"], "prod.example:5432"),
        (["timeout", "5", "psql", "-h", "prod.example"], "prod.example:5432"),
        (["pg_restore", "-h", "prod.example", "-d", "x_e2e", "dump"], "prod.example:5432"),
        (["mysql", "-h", "prod.example", "-P", "3307", "x_e2e"], "prod.example:3307"),
        (["redis-cli", "-h", "prod.example", "flushall"], "prod.example:6379"),
        (["redis-cli", "-u", "redis://prod.example"], "prod.example:6379"),
        (["mongosh", "mongodb://prod.example/x_e2e"], "prod.example:27017"),
        (["sh", "-c", "DATABASE_URL=postgres://prod.example/x_e2e serve"], "prod.example:5432"),
        (["sh", "-c", "export DB_HOST=prod.example && serve"], "prod.example"),
        (["bash", "-lc", "sleep 1; psql -h prod.example x_e2e"], "prod.example:5432"),
        (["sh", "-c", "exec psql -h prod.example x_e2e"], "prod.example:5432"),
        (["sh", "-c", 'psql "$PROD_AGENT" -c "select 1"'], "prod.example:5432"),
        (["env", "REDIS_URL=redis://prod.example", "serve"], "prod.example:6379"),
        (["serve", "--database-url", "postgres://prod.example/x_e2e"], "prod.example:5432"),
        (["serve", "--database-url=postgres://prod.example/x_e2e"], "prod.example:5432"),
        (["serve", "--db-host", "prod.example"], "prod.example"),
        (["serve", "--redis-host=prod.example"], "prod.example:6379"),
        (["wait-for-it", "prod.example:5432"], "prod.example:5432"),
        (["curl", "-X", "POST", "https://payments.example/v1"], "payments.example:443"),
        (["python", "-c", "from urllib.request import *; urlopen('https://pay.example')"],
         "pay.example:443"),
    ],
    ids=lambda one: one if isinstance(one, str) else " ".join(one)[:60],
)  # fmt: skip
def test_commands_are_looked_at_as_well(argv, address):
    environment = {"PROD_AGENT": "postgresql://prod.example/x_e2e"} if "$PROD" in str(argv) else {}
    assert set(found(environment, argv=tuple(argv))) == {address}


@pytest.mark.parametrize(
    "argv",
    [
        ["uvicorn", "shop.main:app", "--host", "0.0.0.0", "--port", "8000"],
        ["gunicorn", "-b", "0.0.0.0:8000", "shop.wsgi:application"],
        ["python", "manage.py", "runserver", "0.0.0.0:8000"],
        ["celery", "-A", "shop", "worker", "--hostname", "worker@%h"],
        ["psql", "-h", "db", "-U", "u", "-d", "x_e2e"],
        ["psql", "-h", "db", "-U", "u", "x_e2e", "-c", "select 1"],
        ["redis-cli", "-h", "cache", "ping"],
        ["wait-for-it", "db:5432", "--", "serve"],
        ["dockerize", "-wait", "tcp://db:5432", "-timeout", "30s", "serve"],
        ["sh", "-c", "until pg_isready -h db; do sleep 1; done; exec serve"],
        ["sh", "-c", "echo https://docs.example/x; serve"],
        ["sh", "-c", "unclosed 'quote psql -h db x_e2e"],
        ["sh", "-c"],
        ["sh"],
        [],
        ["postgres", "-c", "max_connections=100"],
        ["redis-server", "--appendonly", "yes"],
        ["nginx", "-g", "daemon off;"],
        ["python", "-m", "stackproof.gateway", "--host", "0.0.0.0", "--port", "4000"],
        ["serve", "--origins", "https://shop.example"],
    ],
    ids=lambda one: " ".join(one)[:60],
)
def test_commands_that_stay_inside_pass(argv):
    assert found({}, argv=tuple(argv)) == []
    assert names({}, argv=tuple(argv)) == []


def test_behind_a_variable_that_the_command_names_the_value_is_looked_at():
    argv = ("sh", "-c", "exec psql -h $TARGET -p ${TARGET_PORT} x_e2e")
    environment = {"TARGET": "prod.example", "TARGET_PORT": "5433"}
    assert found(environment, argv=argv) == ["prod.example:5433"]


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"URL": "postgresql://u:p@127.0.0.1:5432/x_e2e"}, "127.0.0.1:5432"),
        ({"URL": "postgresql://u:p@localhost/x_e2e"}, "localhost:5432"),
        ({"URL": "postgresql://u:p@localhost:99999/x_e2e"}, "localhost:99999"),
        ({"URL": "postgresql://u:p@[::1]:15432/x_e2e"}, "[::1]:15432"),
        ({"URL": "postgresql:///x_e2e"}, "default"),
        ({"URL": "postgresql:///x_e2e?host=/var/run/postgresql"}, "/var/run/postgresql"),
        ({"URL": "postgresql://%2Fvar%2Frun%2Fpostgresql/x_e2e"}, "/var/run/postgresql"),
        ({"URL": "dbname=x_e2e user=u"}, "default"),
        ({"URL": "jdbc:postgresql:x_e2e"}, "default"),
        ({"URL": "redis://"}, "default"),
        ({"URL": "redis:///0"}, "default"),
        ({"URL": "redis://0.0.0.0:6379"}, "0.0.0.0:6379"),
        ({"URL": "unix:///run/redis/redis.sock?db=1"}, "/run/redis/redis.sock"),
        ({"URL": "redis+socket:///run/redis/redis.sock"}, "/run/redis/redis.sock"),
        ({"URL": "amqp://"}, "default"),
        ({"URL": "mongodb://127.0.0.1/x_e2e"}, "127.0.0.1:27017"),
        ({"URL": "127.0.0.1:5432"}, "127.0.0.1:5432"),
        ({"REDIS_HOST": "localhost"}, "localhost:6379"),
        ({"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "6379"}, "127.0.0.1:6379"),
        ({"DB_HOST": "127.0.0.1", "DB_PORT": "5432"}, "127.0.0.1:5432"),
        ({"PGHOST": "/var/run/postgresql"}, "/var/run/postgresql"),
        ({"PGDATABASE": "x_e2e"}, "default"),
        ({"PGSERVICEFILE": "/home/me/.pg_service.conf"}, "/home/me/.pg_service.conf"),
        ({"PGSYSCONFDIR": "/etc/postgresql-common"}, "/etc/postgresql-common"),
        ({"DOCKER_HOST": "unix:///var/run/docker.sock"}, "/var/run/docker.sock"),
    ],
    ids=str,
)  # fmt: skip
def test_a_server_of_this_machine_is_the_developers_where_its_port_is_none_of_the_stack(
    environment, address
):
    assert found(environment, engine="process") == [address]


@pytest.mark.parametrize(
    "environment",
    [
        {"URL": "postgresql://u:p@127.0.0.1:15432/x_e2e"},
        {"URL": "postgresql://u:p@localhost:15432,127.0.0.1:15432/x_e2e"},
        {"URL": "redis://127.0.0.1:16379/0"},
        {"URL": "postgresql:///x_e2e?host=/run/shop-e2e/tmp/db"},
        {"URL": "http://localhost:9999"},
        {"URL": "tcp://127.0.0.1:9999"},
        {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": "16379"},
        {"PGHOST": "127.0.0.1", "PGPORT": "15432", "PGDATABASE": "x_e2e"},
        {"URL": "sqlite:////run/shop-e2e/data/shop/app.db"},
        {"URL": "sqlite:///shop_e2e.db"},
    ],
    ids=str,
)
def test_ports_and_files_of_the_run_pass_on_the_process_engine(environment):
    assert found(environment, engine="process") == []


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({"URL": "sqlite:///app.db"}, "app.db"),
        ({"URL": "sqlite+aiosqlite:///./data/app.sqlite3"}, "./data/app.sqlite3"),
        ({"URL": "sqlite:////home/me/app.db"}, "/home/me/app.db"),
        ({"URL": "sqlite:///../shop_e2e.db"}, "../shop_e2e.db"),
        ({"URL": "sqlite:////tmp/shop_e2e.db"}, "/tmp/shop_e2e.db"),
        ({"URL": "file:./dev.db"}, "./dev.db"),
        ({"URL": "sqlite3:db/dev.sqlite3"}, "db/dev.sqlite3"),
        ({"URL": "jdbc:sqlite:app.db"}, "app.db"),
        ({"URL": "Data Source=app.db;Mode=ReadWrite"}, "app.db"),
        ({"DB_PATH": "/srv/shop/app.db"}, "/srv/shop/app.db"),
        ({"URL": "sqlite:////run/shop-e2e/../other/app.db"}, "/run/shop-e2e/../other/app.db"),
    ],
    ids=str,
)
def test_a_file_of_sqlite_outside_the_run_is_the_developers(environment, path):
    assert found(environment, engine="process") == [path]
    assert found(environment, engine="process", external=[path]) == []
    assert found(environment, engine="compose") == []


def test_in_a_container_localhost_is_the_container_unless_it_has_this_machines_network():
    environment = {"URL": "postgresql://localhost/x_e2e", "OTHER": "redis://"}
    assert found(environment) == []
    reach = Reach(host_network=True)
    assert found(environment, reach=reach) == ["localhost:5432", "default"]


def test_the_machine_itself_is_outside_but_for_ports_that_the_stack_publishes():
    assert found({"URL": "http://host.docker.internal:18000"}) == []
    assert found({"URL": "http://host.docker.internal:8000"}) == ["host.docker.internal:8000"]
    assert found({"URL": "redis://host.docker.internal"}) == ["host.docker.internal:6379"]


def test_a_name_that_extra_hosts_gives_another_address_is_that_address():
    reach = Reach(hosts={"db": "10.0.0.5", "local": "127.0.0.1", "host": "host-gateway"})
    assert found({"URL": "postgresql://db/x_e2e"}, reach=reach) == ["db:5432"]
    assert found({"URL": "postgresql://local/x_e2e"}, reach=reach) == []
    assert found({"URL": "postgresql://host/x_e2e"}, reach=reach) == ["host:5432"]


def test_a_socket_is_the_containers_own_unless_a_folder_of_this_machine_is_mounted_there():
    environment = {"URL": "postgresql:///x_e2e?host=/var/run/postgresql"}
    assert found(environment) == []
    reach = Reach(binds=("/var/run/postgresql",))
    assert found(environment, reach=reach) == ["/var/run/postgresql"]


@pytest.mark.parametrize(
    ("external", "passes"),
    [
        (["prod.example"], True),
        (["PROD.example"], True),
        (["prod.example:5432"], True),
        (["*.example"], True),
        (["prod.example:5433"], False),
        (["example"], False),
        (["*.prod.example"], False),
        (["other.example"], False),
    ],
)
def test_what_the_config_names_as_external_passes(external, passes):
    environment = {"URL": "postgresql://prod.example/x_e2e"}
    assert (found(environment, external=external) == []) is passes


def test_the_default_server_of_a_client_can_be_named_as_external():
    environment = {"URL": "postgresql:///x_e2e"}
    assert found(environment, engine="process", external=["localhost:5432"]) == []


def test_the_gateway_may_ask_the_web_but_no_database():
    environment = {"UPSTREAM": "https://models.example/v1", "URL": "redis://prod.example"}
    assert found(environment, gateway_service="app") == ["prod.example:6379"]


def test_a_stack_that_somebody_else_has_started_is_not_judged():
    assert found({"URL": "postgresql://prod.example/shop"}, engine="attached") == []


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"URL": "postgresql://u:p@db/shop"}, "shop"),
        ({"URL": "postgresql://u:p@db/shop_e2e_prod"}, "shop_e2e_prod"),
        ({"URL": "postgresql://u:p@db/"}, "u"),
        ({"URL": "postgresql://u:p@db/shop_e2e?dbname=shop"}, "shop"),
        ({"URL": "postgresql://u:p@db/shop%5Fe2e_x"}, "shop_e2e_x"),
        ({"URL": "postgresql://u:p@db,db/shop"}, "shop"),
        ({"URL": "mysql://u:p@db/shop"}, "shop"),
        ({"URL": "mongodb://u:p@mongo/shop?authSource=admin"}, "shop"),
        ({"URL": "jdbc:sqlserver://db;databaseName=shop"}, "shop"),
        ({"URL": "host=db dbname=shop"}, "shop"),
        ({"URL": "Server=db;Database=shop;Uid=u"}, "shop"),
        ({"URL": "u:p@tcp(db:3306)/shop"}, "shop"),
        ({"DB_HOST": "db", "DB_NAME": "shop"}, "shop"),
        ({"POSTGRES_HOST": "db", "POSTGRES_DB": "shop"}, "shop"),
        ({"DATABASE_HOST": "db", "DATABASE_NAME": " 'shop' "}, "shop"),
        ({"PGHOST": "db", "PGDATABASE": "shop"}, "shop"),
        ({"PGHOST": "db", "PGUSER": "shop"}, "shop"),
    ],
    ids=str,
)
def test_a_database_whose_name_does_not_say_that_it_may_be_lost_is_found(environment, name):
    assert set(names(environment)) == {name}
    assert found(environment) == []


@pytest.mark.parametrize(
    "argv", [["psql", "-h", "db", "shop"], ["psql", "-h", "db", "-d", "shop"],
             ["dropdb", "-h", "db", "shop"], ["sh", "-c", "mysql -h db shop < x.sql"]]
)  # fmt: skip
def test_a_command_that_names_such_a_database_is_found(argv):
    assert names({}, argv=tuple(argv)) == ["shop"]


def test_a_health_check_may_ask_for_any_database_but_nowhere_else():
    def checked(*words):
        plan = plan_of({})
        app = replace(plan.service("app"), probe=CommandProbe(words))
        findings = foreign_targets(replace(plan, services=(*plan.services[:-1], app)))
        return [str(one) for one in findings]

    assert checked("pg_isready", "-h", "db", "-d", "shop") == []
    (found,) = checked("pg_isready", "-h", "prod.example")
    assert found.startswith("app: health check leads to prod.example:5432")


def test_numbers_of_redis_and_hosts_of_amqp_are_no_names():
    assert names({"A": "redis://cache/1", "B": "amqp://queue/prod", "REDIS_DB": "1"}) == []


def test_databases_for_maintenance_pass_beside_a_configured_one():
    environment = {"ADMIN": "postgresql://u:p@db/postgres", "URL": "postgresql://u:p@db/x_e2e"}
    assert names(environment) == ["postgres"]
    assert names(environment, database="x_e2e") == []
