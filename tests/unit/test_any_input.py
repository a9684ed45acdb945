"""Whatever stands in a file or comes along a socket, it is read, or refused by an error of ours.

Few examples by default; STACKPROOF_FUZZ=10000 tries as many of each kind.
"""

import asyncio
import json
import os
import socket
import types
from contextlib import suppress

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stackproof.engines.process.control_server import Connection, ControlServer
from stackproof.errors import StackproofError
from stackproof.plan import make_plan
from stackproof.plan.services.dockerfile import read_dockerfile
from stackproof.reaper.daemon import Reaper
from stackproof.settings import load_settings
from stackproof.settings.config import KEYS
from stackproof.settings.env_file import example_names, read_env_file
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.interpolation import Interpolation
from stackproof_redaction import Redactor

CHEAP = settings(
    deadline=None,
    max_examples=int(os.environ.get("STACKPROOF_FUZZ", "80")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | ANY_TEXT
    | st.sampled_from([10**400, -1, 0, "1m", "5432:5432", "a_e2e", "http://[::1/x", "${A:-", "~",
                       "9" * 5000, "\0", "postgresql://u:p@db/x_e2e", "/dev/zero", "../..", "api"])
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(ANY_TEXT, below, max_size=3),
    max_leaves=8,
)


def values(keys):
    """Any value of YAML, with keys that mean something among those that don't."""
    return st.recursive(
        SCALARS,
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(st.sampled_from(keys) | ANY_TEXT, below, max_size=4)
        ),
        max_leaves=10,
    )


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def as_yaml(value):
    with suppress(ValueError):  # a number that is too long to be written
        return as_bytes(yaml.safe_dump(value, allow_unicode=True))
    return b""


INNER = ["service", "name", "command", "api", "db", "cpus", "memory", "pids", "services", "start",
         "stop", "paths", "profiles", "marker", "default", "shared", "pool"]  # fmt: skip
CONFIG = st.dictionaries(st.sampled_from(sorted(KEYS)), values(INNER), max_size=4).map(
    lambda given: {"stack": "shop", "compose_files": ["../compose.yaml"], **given}
)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "config").mkdir()
    (folder / "compose.yaml").write_text("services: {api: {image: redis}}\n")
    return folder


def planned(folder, environment=None):
    with suppress(StackproofError):
        found = load_settings(folder, stack=None, environment=environment or {})
        stack_file = load_stack_file(found.compose_files, found.variables)
        for engine in ("process", "compose"):
            make_plan(found, stack_file, engine=engine, run_folder=folder / "run")


@CHEAP
@given(CONFIG.map(as_yaml) | values(sorted(KEYS)).map(as_yaml)
       | st.binary(max_size=60) | ANY_TEXT.map(as_bytes))  # fmt: skip
@example(b"stack: shop\ncompose_files: [../compose.yaml]\nports: {api: " + b"9" * 5000 + b"}\n")
@example(b"stack: &a [*a]\n")
@example(b"stack: shop\nvariables: {A: 2024-99-99}\n")
def test_a_stack_config(project, data):
    (project / "config" / "shop.yaml").write_bytes(data)
    (project / ".env.integration").unlink(missing_ok=True)
    planned(project)


ASSIGNMENTS = st.lists(
    st.tuples(
        st.sampled_from(["STACKPROOF_ENGINE", "STACKPROOF_PROJECT", "STACKPROOF_PORTS", "A", "é",
                         "STACKPROOF_TIMEOUTS_START", "STACKPROOF_CACHE_DIR", "export A", ""]),
        ANY_TEXT | st.sampled_from(["'", '"', "a'b", "${A", "\\", "#", "1 2", "\0"]),
    ),
    max_size=4,
).map(lambda pairs: as_bytes("\n".join(f"{name}={value}" for name, value in pairs)))  # fmt: skip


@CHEAP
@given(ASSIGNMENTS | st.binary(max_size=60) | ANY_TEXT.map(as_bytes))
def test_an_env_file(project, data):
    (project / "config" / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    for name in (".env.integration", ".env", ".env.integration.example"):
        (project / name).write_bytes(data)
    for read in (
        lambda: read_env_file(project / ".env.integration"),
        lambda: read_dotenv(project, Interpolation({})),
        lambda: example_names(project),
        lambda: planned(project),
    ):
        with suppress(StackproofError):
            read()
    for name in (".env.integration", ".env", ".env.integration.example"):
        (project / name).unlink()


@CHEAP
@given(st.dictionaries(st.sampled_from(["STACKPROOF_ENGINE", "STACKPROOF_PROJECT", "HOME",
                                        "STACKPROOF_TIMEOUTS_START", "STACKPROOF_CACHE_DIR",
                                        "STACKPROOF_ARTIFACTS", "POSTGRES_PASSWORD"]),
                       ANY_TEXT, max_size=3))  # fmt: skip
def test_an_environment(project, environment):
    (project / "config" / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    planned(project, environment)


SERVICE_KEYS = (
    "image build command entrypoint environment env_file ports expose volumes tmpfs depends_on "
    "healthcheck deploy restart stop_signal stop_grace_period working_dir user profiles extends "
    "labels mem_limit cpus x-stackproof networks secrets init read_only"
).split()
WORDS = ["api", "db", "test", "condition", "target", "published", "source", "type", "interval",
         "retries", "ready", "alive", "port", "context", "dockerfile", "A", "DATABASE_URL",
         "POSTGRES_DB", "command", "file", "service", "resources", "limits", "memory"]  # fmt: skip
GOOD = {
    "command": ["sleep", "600"],
    "environment": {"DATABASE_URL": "postgresql://u:p@db:5432/x_e2e", "A": "${B:-c}"},
    "ports": ["8000:8000", "127.0.0.1::90", {"target": 5, "published": "7"}],
    "volumes": ["./x:/y", "pg:/var/lib/postgresql/data", "/dev/zero:/z:ro"],
    "depends_on": {"db": {"condition": "service_healthy"}},
    "healthcheck": {"test": ["CMD-SHELL", "curl localhost:8000"], "interval": "1s"},
    "x-stackproof": {"command": ["a"], "ready": {"alive": 0.1}, "environment_of": "stackproof"},
    "mem_limit": "64m",
    "env_file": [{"path": "none.env", "required": False}],
}
ONCE = {"depends_on", "ports"}
"""What two services can't both have: there would be a circle, or two of one port."""

SERVICE = st.builds(
    lambda kept, changed: {"image": "postgres:16", **{key: GOOD[key] for key in kept}, **changed},
    st.sets(st.sampled_from(sorted(GOOD))),
    st.dictionaries(st.sampled_from(SERVICE_KEYS), values(WORDS), max_size=1),
)


@pytest.mark.parametrize("engine", ["process", "compose"])
def test_the_good_services_can_be_planned(project, engine):
    (project / "config" / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    api = {"image": "nginx", **GOOD}
    db = {"image": "postgres:16", **{key: GOOD[key] for key in GOOD if key not in ONCE}}
    stack = {"services": {"api": api, "db": db}, "volumes": {"pg": None}}
    (project / "compose.yaml").write_bytes(as_yaml(stack))
    found = load_settings(project, stack=None, environment={})
    stack_file = load_stack_file(found.compose_files, found.variables)
    plan = make_plan(found, stack_file, engine=engine, run_folder=project / "run")
    assert {one.name for one in plan.services} == {"api", "db"}


@CHEAP
@given(SERVICE, SERVICE, st.sampled_from(["postgres:16", "redis", "nginx", "localhost/own:1"]))
def test_a_stack_file_that_is_planned(project, api, db, image):
    (project / "config" / "shop.yaml").write_text("stack: shop\ncompose_files: [../compose.yaml]\n")
    db = {key: value for key, value in db.items() if key not in ONCE}
    stack = {"services": {"api": {**api, "image": image}, "db": db}, "volumes": {"pg": None}}
    (project / "compose.yaml").write_bytes(as_yaml(stack))
    planned(project)
    (project / "compose.yaml").write_text("services: {api: {image: redis}}\n")


LINES = st.lists(
    st.builds(
        "{} {}".format,
        st.sampled_from("FROM ENV CMD ENTRYPOINT COPY ADD EXPOSE WORKDIR USER RUN ARG HEALTHCHECK "
                        "SHELL LABEL ONBUILD VOLUME STOPSIGNAL # from".split()),
        ANY_TEXT | JSON.map(lambda value: json.dumps(value, default=str))
        | st.sampled_from(["$A", "${A:-", "a AS b", "--from=b x y", "9" * 5000, "1-2/tcp", "\\"]),
    )
).map("\n".join)  # fmt: skip


@CHEAP
@given(LINES | ANY_TEXT)
@example("EXPOSE " + "9" * 5000)
@example("CMD " + "[" * 20_000)
def test_a_dockerfile(text):
    with suppress(StackproofError):
        read_dockerfile(text)


OPERATIONS = ["ping", "configure", "start", "replace", "status", "wait", "events", "stop",
              "start_services", "signal", "run", "execute", "nope"]  # fmt: skip
REQUESTS = st.builds(
    lambda op, fields: {"op": op, **fields},
    st.sampled_from(OPERATIONS),
    st.dictionaries(
        st.sampled_from(["services", "secrets", "since", "signal", "argv", "env", "cwd", "name",
                         "uid", "seconds", "stdin", "service", "all"]),
        JSON, max_size=4),
)  # fmt: skip


@pytest.fixture(scope="module")
def event_loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


async def _nothing(*_given, **_named):
    return 0


@CHEAP
@given(REQUESTS.map(json.dumps).map(as_bytes) | JSON.map(json.dumps).map(as_bytes)
       | st.binary(max_size=40).filter(lambda data: b"\n" not in data))  # fmt: skip
@example(b'{"op": "events", "since": Infinity}')
@example(b'{"op": "start", "services": ["x"]}')
@example(b'{"op": "events", "since": ' + b"9" * 5000 + b"}")
@example(b"[" * 50_000)
def test_a_line_on_the_control_socket(tmp_path, event_loop, data):
    supervisor = types.SimpleNamespace(
        services={}, events=[], redactor=Redactor(), folder=tmp_path,
        configure=lambda _: None, start=lambda _: None, replace=_nothing, run_command=_nothing,
        next_change=_nothing, changed=lambda *_: None,
    )  # fmt: skip
    server = ControlServer(supervisor, tmp_path / "control.sock")
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(5)
        theirs.settimeout(0)
        connection = Connection(event_loop, theirs, server._mask)
        ours.sendall(data + b"\n")
        ours.shutdown(socket.SHUT_WR)
        event_loop.run_until_complete(server._answer(connection))
        answer = ours.recv(1 << 20).splitlines()
    assert not answer or {"done", "error"} & set(json.loads(answer[-1]))


@CHEAP
@given(
    st.builds(lambda op, fields: {"op": op, **fields}, st.sampled_from(["claim", "intend", "x"]),
              st.dictionaries(st.sampled_from(["count", "path"]), JSON)).map(json.dumps)
    .map(as_bytes) | JSON.map(json.dumps).map(as_bytes)
    | st.binary(max_size=40).filter(lambda data: b"\n" not in data)
)  # fmt: skip
@example(b'{"op": "claim", "count": 1000000000}')
@example(b'{"op": "claim", "count": -1}')
@example(b'{"op": "claim", "count": ' + b"9" * 5000 + b"}")
@example(b'{"op": "intend", "path": "/a\\u0000/.new-b"}')
@example(b'{"op": "intend", "path": "/' + b"x" * 5000 + b'/.new-b"}')
@example(b"[" * 50_000)
def test_a_message_to_the_reaper(data):
    ours, theirs = socket.socketpair()
    reaper = Reaper.__new__(Reaper)
    reaper.__dict__.update(link=theirs, claims=[], intended=[], received=b"", held=True)
    reaper._write_record = lambda: None
    with ours, theirs:
        ours.sendall(data + b"\n")
        assert reaper._take_messages()
        while reaper.received:
            assert reaper._take_messages()
        answer = json.loads(ours.recv(1 << 20))
        for one in reaper.claims:
            one.close()
    assert {"done", "error", "ports"} & set(answer)
    assert len(reaper.claims) == len(answer.get("ports", []))
    assert reaper.intended == []
