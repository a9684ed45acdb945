"""Names of peers and own ports in source files, which the host world can't translate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.plan.addressing.built_in import MOST_TOLD, addresses_in, built_in_addresses
from stackproof.stack_file.model import Port

NAMES = {"redis": "redis", "db": "db", "backend": "backend"}


def found(text, suffix=".py"):
    return [what for _, what, _ in addresses_in(text, suffix, NAMES)]


def told(folder, names=NAMES, **environment):
    return list(built_in_addresses([folder], "app", names, {8000: 18000}, environment))


@pytest.mark.parametrize(
    ("line", "suffix", "what"),
    [
        ("r = Redis(host='redis', db=1)", ".py", "redis"),
        ('URL = "redis://redis:6379/0"', ".py", "redis"),
        ('engine = create_engine("postgresql://u:p@db/app")', ".py", "db"),
        ('const url = "http://backend:8080/api"', ".js", "backend"),
        ("fetch(`http://backend/api`)", ".ts", "backend"),
        ('redis.NewClient(&redis.Options{Addr: "redis:6379"})', ".go", "redis"),
        ("    proxy_pass http://backend;", ".conf", "backend"),
        ("  server backend:8080;", ".conf", "backend"),
        ("  host: redis", ".yaml", "redis"),
        ('DB_HOST = "db"', ".py", "db"),
        ('{"host": "db"}', ".js", "db"),
        ("app.run(port=8000)", ".py", "port 8000"),
        ("app.listen(8000, () => {})", ".js", "port 8000"),
        ('http.ListenAndServe(":8000", nil)', ".go", "port 8000"),
        ("    listen 8000;", ".conf", "port 8000"),
    ],
)
def test_a_name_or_port_in_the_place_of_an_address_is_found(line, suffix, what):
    assert found(line, suffix) == [what]


@pytest.mark.parametrize(
    "line",
    [
        "import redis",
        "from db import models",
        'queue = "redis"',
        "# http://redis:6379",
        "// host: 'redis'",
        "backend = Backend()",
        "x = d['db']",
        'host = "redis.example.org"',
        'url = "http://redistribution/"',
        'host = "localhost"',
        "timeout = 8000",
        "transport = 8000",
    ],
)
def test_other_uses_of_the_same_words_are_not_told(line):
    assert found(line) == []


def test_a_default_that_a_variable_of_the_service_replaces_is_not_told(tmp_path):
    (tmp_path / "app.py").write_text('r = os.environ.get("REDIS_URL", "redis://redis:6379")\n')
    assert told(tmp_path, REDIS_URL="x") == []
    assert told(tmp_path) == ["`redis` at app.py:1"]


def test_its_own_name_and_ports_that_are_not_its_own_are_not_told(tmp_path):
    (tmp_path / "app.py").write_text('a("http://app/")\nrun(port=8001)\nrun(port=8000)\n')
    assert told(tmp_path, {**NAMES, "app": "app"}) == ["`port 8000` at app.py:3"]


def test_at_most_a_few_places_are_told_and_the_others_counted(tmp_path):
    (tmp_path / "app.py").write_text('a("http://redis/")\n' * 9)
    assert told(tmp_path)[MOST_TOLD:] == ["and 4 more places"]


def test_only_text_of_the_program_is_read(tmp_path):
    for name in ("node_modules/a.js", ".venv/a.py", "tests/a.py", "a.bin", "compose.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('a("http://redis/")\n')
    (tmp_path / "large.py").write_text('a("http://redis/")\n' * 100_000)
    (tmp_path / "b.py").write_bytes(b'\xff a("http://redis/")\n')
    assert told(tmp_path) == ["`redis` at b.py:1"]


def test_planning_for_the_host_world_tells_them_and_for_a_private_one_does_not(planning, redis):
    app = planning.built("FROM p\nCOPY app.py /app/\nCMD serve", files=["app.py"],
                         ports=(Port(8000),))  # fmt: skip
    (app.build.context / "app.py").write_text("\nRedis(host='cache')\nrun(port=8000)\n")
    host, private = (planning.plan(app, redis, world=world) for world in ("host", "private"))
    notices = [notice for notice in host.notices if "can't be translated" in notice]
    assert len(notices) == 1
    assert notices[0].startswith("app: `cache` at app.py:2 and `port 8000` at app.py:3 can't be")
    assert not any("can't be translated" in notice for notice in private.notices)


@given(
    st.text(st.sampled_from("redis:/@'\"`= \n\tport8000listenhost(;#")),
    st.sampled_from([".py", ".conf"]),
)
def test_any_text_can_be_read(text, suffix):
    assert all(what.startswith("port ") or what.lower() in NAMES for what in found(text, suffix))
