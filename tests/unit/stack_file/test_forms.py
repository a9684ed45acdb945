"""Each supported key, each way it can be written."""

import re
import textwrap

import pytest

from stackproof.errors import ConfigError
from stackproof.stack_file import leave_out, load_stack_file, parse_duration, parse_size
from stackproof.stack_file.model import (
    Dependency,
    Healthcheck,
    Limits,
    Mount,
    Port,
    Restart,
    WatchRule,
)


@pytest.fixture
def load(tmp_path):
    def load(text, *more, environment=None, files=None):
        for name, content in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(textwrap.dedent(content))
        paths = []
        for number, one in enumerate([text, *more]):
            path = tmp_path / f"compose{number or ''}.yaml"
            path.write_text(textwrap.dedent(one))
            paths.append(path)
        return load_stack_file(paths, environment or {})

    return load


@pytest.fixture
def service(load, tmp_path):
    """One service made of the given lines, with declared volumes and networks."""

    def service(lines, **options):
        body = textwrap.indent(textwrap.dedent(lines), "    ")
        text = f"services:\n  x:\n    image: i\n{body}\nvolumes: {{data: }}\nnetworks: {{n: }}\n"
        return load(text, **options).services["x"]

    return service


@pytest.mark.parametrize(
    ("lines", "ports"),
    [
        ('ports: ["8000"]', [Port(8000)]),
        ("ports: [8000]", [Port(8000)]),
        ('ports: ["18000:8000"]', [Port(8000, "18000")]),
        ("ports: [22:22]", [Port(22, "22")]),
        ('ports: ["127.0.0.1:18000:8000"]', [Port(8000, "18000", "127.0.0.1")]),
        ('ports: ["127.0.0.1::8000"]', [Port(8000, None, "127.0.0.1")]),
        ('ports: ["[::1]:18000:8000"]', [Port(8000, "18000", "::1")]),
        ('ports: ["53:53/udp"]', [Port(53, "53", protocol="udp")]),
        ('ports: ["3000-3001:4000-4001"]', [Port(4000, "3000"), Port(4001, "3001")]),
        ('ports: ["3000-3010:4000"]', [Port(4000, "3000-3010")]),
        ('ports: [{target: 80, published: "8080", host_ip: 127.0.0.1, protocol: tcp}]',
         [Port(80, "8080", "127.0.0.1")]),
        ("ports: [{target: 80, published: 8080}]", [Port(80, "8080")]),
    ],
)  # fmt: skip
def test_ports(service, lines, ports):
    assert service(lines).ports == tuple(ports)


def test_expose(service):
    assert service('expose: ["80", 81, "90-91/tcp"]').expose == (80, 81, 90, 91)


@pytest.mark.parametrize(
    ("lines", "command"),
    [
        ("command: python -m app 'a b'", ("python", "-m", "app", "a b")),
        ("command: [python, -m, app]", ("python", "-m", "app")),
        ("command: [sleep, '5']", ("sleep", "5")),
        ("command: []", ()),
        ("command:", None),
        ("entrypoint: /run.sh", None),
    ],
)
def test_commands(service, lines, command):
    assert service(lines).command == command


def test_environment_as_mapping_and_as_list_say_the_same(service):
    mapping = "environment: {A: b, N: 1, F: 0.50, E: '', P: }"
    listed = "environment: [A=b, N=1, F=0.5, E=, P]"
    expected = {"A": "b", "N": "1", "F": "0.5", "E": "", "P": "passed"}
    environment = {"P": "passed"}
    assert service(mapping, environment=environment).environment == expected
    assert service(listed, environment=environment).environment == expected


def test_a_variable_that_is_passed_through_and_not_set_is_left_out(service):
    assert service("environment: [P]").environment == {}


def test_env_files_come_before_the_services_own_environment(service):
    files = {
        "one.env": "A=1\nB=one # comment\n# c\nexport C='$X'\n",
        "two.env": 'B="two ${X}\\n"\nM="a\nb"\n',
    }
    found = service(
        "env_file: [one.env, {path: two.env}, {path: none.env, required: false}]\n"
        "environment: {A: own}",
        environment={"X": "y"}, files=files,
    ).environment  # fmt: skip
    assert found == {"A": "own", "B": "two y\n", "C": "$X", "M": "a\nb"}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("depends_on: [y]", Dependency()),
        ("depends_on: {y: {condition: service_healthy}}", Dependency("service_healthy")),
        ("depends_on: {y: {condition: service_completed_successfully, required: false}}",
         Dependency("service_completed_successfully", required=False)),
    ],
)  # fmt: skip
def test_dependencies(load, lines, expected):
    loaded = load(f"services:\n  x: {{image: i, {lines}}}\n  y: {{image: i}}")
    assert loaded.services["x"].depends_on == {"y": expected}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("healthcheck: {test: [CMD, a, b]}", Healthcheck(("CMD", "a", "b"))),
        ("healthcheck: {test: [CMD-SHELL, a b]}", Healthcheck(("CMD-SHELL", "a b"))),
        ("healthcheck: {test: a || b}", Healthcheck(("CMD-SHELL", "a || b"))),
        ("healthcheck: {test: [NONE]}", Healthcheck(("NONE",), disable=True)),
        ("healthcheck: {disable: true}", Healthcheck(disable=True)),
        ("healthcheck: {interval: 1m30s, timeout: 500ms, retries: 3, start_period: '10s'}",
         Healthcheck((), 90.0, 0.5, 3, 10.0)),
    ],
)  # fmt: skip
def test_healthchecks(service, lines, expected):
    assert service(lines).healthcheck == expected


def test_mounts(service, tmp_path):
    found = service(
        """\
        volumes:
          - data:/data
          - ./rel:/rel:ro
          - /abs:/abs
          - /anonymous
          - {type: bind, source: ./long, target: /long, read_only: true}
          - {type: volume, source: data, target: /again}
          - {type: tmpfs, target: /t, tmpfs: {size: 1m}}
        tmpfs: /run
        """
    )
    assert found.mounts == (
        Mount("volume", "/data", "data"),
        Mount("bind", "/rel", str(tmp_path / "rel"), read_only=True),
        Mount("bind", "/abs", "/abs"),
        Mount("volume", "/anonymous"),
        Mount("bind", "/long", str(tmp_path / "long"), read_only=True),
        Mount("volume", "/again", "data"),
        Mount("tmpfs", "/t", size=1 << 20),
    )
    assert found.tmpfs == ("/run",)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('restart: "no"', Restart()),
        ("restart: always", Restart("always")),
        ("restart: on-failure:3", Restart("on-failure", 3)),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
         Restart("on-failure", 2)),
    ],
)  # fmt: skip
def test_restart_policies(service, lines, expected):
    assert service(lines).restart == expected


@pytest.mark.parametrize(
    "lines",
    ["cpus: 0.5\nmem_limit: 512m\npids_limit: 10",
     'deploy: {resources: {limits: {cpus: "0.5", memory: 512M, pids: 10}}}'],
)  # fmt: skip
def test_limits(service, lines):
    assert service(lines).limits == Limits(0.5, 512 << 20, 10)


def test_build_forms(load, tmp_path):
    loaded = load(
        """\
        services:
          a: {build: .}
          b:
            build: {context: sub, dockerfile: D, target: t, args: {X: 1, P: }}
          c:
            build: {context: ., args: [X=1, P]}
        """,
        environment={"P": "p"},
    ).services
    assert loaded["a"].build.context == tmp_path
    assert loaded["b"].build.context == tmp_path / "sub"
    assert (loaded["b"].build.dockerfile, loaded["b"].build.target) == ("D", "t")
    assert loaded["b"].build.args == loaded["c"].build.args == {"X": "1", "P": "p"}


def test_networks_labels_and_the_rest(service):
    found = service(
        """\
        networks: {n: {aliases: [db]}}
        labels: [a=b, c]
        extra_hosts: ["h:1.2.3.4"]
        stop_signal: SIGINT
        stop_grace_period: 1m
        user: "1000"
        working_dir: /app
        profiles: [p]
        x-stackproof: {ready: {log: ok}, ports: [1]}
        logging: {driver: none}
        """
    )
    assert found.networks == {"n": ("db",)}
    assert found.labels == {"a": "b", "c": ""}
    assert (found.stop_signal, found.stop_grace_period) == ("SIGINT", 60.0)
    assert found.extension == {"ready": {"log": "ok"}, "ports": [1]}


def test_rules_for_changed_files(service, tmp_path):
    rules = service("""
        develop:
          watch:
            - {action: rebuild, path: package.json}
            - {action: sync+exec, path: ./web/, target: app, ignore: "*.md", include: ["*.js"],
               exec: {command: nginx -s reload, user: root, privileged: false, environment: [A=1]}}
    """).watch
    assert rules == (
        WatchRule("rebuild", tmp_path / "package.json"),
        WatchRule(
            "sync+exec", tmp_path / "web", "/app", ("*.md",), ("*.js",), ("nginx", "-s", "reload"),
            {"A": "1"}, ("services.x.develop.watch[1].exec.user",),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("{action: reload, path: .}", "must be rebuild, restart, sync, sync+restart or sync+exec"),
        ("{action: sync, path: .}", "the action sync needs the path"),
        ("{action: sync+exec, path: ., target: /a}", "sync+exec needs a command"),
        ("{action: rebuild}", "path"),
        ("{action: rebuild, path: ., patch: x}", "patch"),
    ],
)
def test_a_rule_that_can_not_be_followed_is_refused(service, rule, what):
    with pytest.raises(ConfigError, match=re.escape(what)):
        service(f"develop: {{watch: [{rule}]}}")


def test_keys_that_change_nothing_are_accepted_and_told(load):
    loaded = load("services: {x: {image: i, tty: true, logging: {driver: json-file}}}")
    assert loaded.ignored == ("services.x.tty", "services.x.logging")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1h", 3600), ("2.5s", 2.5), (3, 3), ("4", 4)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("512m", 512 << 20), ("1g", 1 << 30), ("1.5k", 1536), ("64KB", 65536), (7, 7)],
)
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "10 s", "-1s", "1x"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ConfigError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("scalar", "value"),
    [("yes", "yes"), ("on", "on"), ("0o17", "15"), ("017", "15"), ("1e3", "1000"),
     ("1_000", "1000"), ("0.10", "0.1"), ("~x", "~x"), ("'1'", "1"), ("12:30", "12:30")],
)  # fmt: skip
def test_scalars_are_read_as_compose_reads_them(service, scalar, value):
    assert service(f"environment: {{A: {scalar}}}").environment == {"A": value}


def test_anchors_aliases_and_merge_keys(load):
    loaded = load(
        """\
        x-one: &one {A: "1", B: "1"}
        x-two: &two {B: "2", C: "2"}
        services:
          x: &base {image: i, environment: {<<: [*one, *two], A: own}}
          y: {<<: *base, image: j}
        """
    )
    assert loaded.services["x"].environment == {"A": "own", "B": "1", "C": "2"}
    assert loaded.services["y"].environment == loaded.services["x"].environment
    assert loaded.services["y"].image == "j"


def test_each_value_knows_its_line(load):
    loaded = load("services:\n  x:\n    image: i\n    ports:\n      - '80'\n")
    assert loaded.locations["services.x.image"].line == 3
    assert loaded.locations["services.x.ports[0]"].line == 5


GRANTED = """\
services:
  x:
    image: i
    secrets:
      - token
      - {source: token, target: other}
      - {source: token, target: /etc/token, mode: 0400}
    configs: [site, {source: site, target: /etc/site.conf}]
secrets: {token: {file: ./keys/../token.txt}}
configs: {site: {file: /srv/site.conf}}
"""


def test_secrets_and_configs_are_files_that_a_service_can_only_read(load, tmp_path):
    stack = load(GRANTED)
    found = {mount.target: mount.source for mount in stack.services["x"].mounts}
    token = str(tmp_path / "token.txt")
    assert found == {
        "/run/secrets/token": token, "/run/secrets/other": token, "/etc/token": token,
        "/site": "/srv/site.conf", "/etc/site.conf": "/srv/site.conf",
    }  # fmt: skip
    assert all(mount.read_only for mount in stack.services["x"].mounts)
    assert stack.services["x"].mounts[0].written == "./keys/../token.txt"
    assert stack.services["x"].mounts[0].where.line == 5
    assert stack.ignored == ("services.x.secrets[2].mode",)


@pytest.mark.parametrize(
    ("declared", "what"),
    [
        ("{}", "the secret 'token' is not declared"),
        ("{tokens: {file: a}}", "did you mean tokens?"),
        ("{token: {environment: TOKEN}}", "TOKEN is required: the secret token is its value"),
        ("{token: {external: true}}", "the secret token is kept by a swarm"),
    ],
)
def test_a_secret_without_content_is_refused_where_a_service_needs_it(load, declared, what):
    services = "services: {x: {image: i, secrets: [token]}}\n"
    with pytest.raises(ConfigError) as caught:
        load(f"{services}secrets: {declared}\n")
    assert what in str(caught.value)
    load(f"services: {{x: {{image: i}}}}\nsecrets: {declared}\n")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("secrets: {token: {content: a}}", "a secret has no `content`"),
        ("configs: {site: {content: a, environment: B}}", "this has environment and content"),
        ("configs: {site: {}}", "this needs one of file, environment, content"),
        ("secrets: {token: {file: a, external: true}}", "this has file and external"),
    ],
)
def test_a_secret_or_config_has_one_content_whether_it_is_used_or_not(load, text, what):
    with pytest.raises(ConfigError, match=what):
        load(f"services: {{x: {{image: i}}}}\n{text}\n")


LENT = """\
services:
  a: {image: i, volumes: ["data:/d", /anonymous, "./f:/f", {type: tmpfs, target: /t}]}
  b: {image: i, volumes_from: ["a:ro"], volumes: ["./own:/f"]}
  c: {image: i, volumes_from: [b]}
volumes: {data: {}}
"""


def test_a_service_has_the_mounts_of_others_where_it_has_none_itself(load, tmp_path):
    services = load(LENT).services
    own = (f"{tmp_path}/own", False, "")
    lent = {"/d": ("data", True, ""), "/anonymous": (None, True, "a"), "/f": own}
    for name in ("b", "c"):
        mounts = services[name].mounts
        found = {mount.target: (mount.source, mount.read_only, mount.owner) for mount in mounts}
        assert found == lent, name
    assert list(services["c"].depends_on) == ["b"]


def test_no_service_can_be_left_out_whose_mounts_another_one_has(load):
    with pytest.raises(ConfigError, match="b can't run without a, which is left out"):
        leave_out(load(LENT), ["a"])
