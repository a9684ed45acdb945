"""What programs see in a private world and in containers is the same, for one small stack."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down

FAULTS = """\
import os, time
import pytest
from stackproof.errors import ConfigError

ASK = "import urllib.request as u; u.urlopen('http://peer:8000/', timeout=LIMIT).read()"
def asked(stack, limit):
    begun = time.monotonic()
    done = stack.service("web").exec(["python", "-c", ASK.replace("LIMIT", str(limit))])
    return done.exit_code == 0, time.monotonic() - begun

def test_a_killed_process_leaves_a_fault_behind(running_stack):
    running_stack.network.cut("web", "peer")
    assert not asked(running_stack, 1)[0]
    os._exit(9)

def test_the_fault_of_a_killed_process_is_over(running_stack):
    deadline = time.monotonic() + 30
    while not asked(running_stack, 5)[0]:
        assert time.monotonic() < deadline

def test_faults_of_each_kind(running_stack):
    network = running_stack.network
    with network.cut("web", "peer"):
        assert not asked(running_stack, 1)[0]
        done = running_stack.service("web").exec(
            ["python", "-c", "import socket; socket.create_connection(('localhost', 8000), 5)"]
        )
        assert done.exit_code == 0
        running_stack.service("peer").restart()
        assert not asked(running_stack, 1)[0]
    assert asked(running_stack, 30)[0]
    with network.delay("web", "peer", ms=1000):
        answered, seconds = asked(running_stack, 60)
        assert answered and seconds > 2
    network.lose("peer", "web", 100)
    assert not asked(running_stack, 1)[0]
    network.heal()
    assert asked(running_stack, 30)[0]
    with pytest.raises(ConfigError, match="no service bakc"):
        network.cut("web", "bakc")
"""

FILES = {
    "compose.yaml": """\
        x-app: &app
          build: {context: web, args: {PYTHON_IMAGE: "${PYTHON_IMAGE:-python:3.11-slim}"}}
          stop_grace_period: 1s
        services:
          web:
            <<: *app
            hostname: front
            environment: {GREETING: "a $$dollar", EMPTY: ""}
            extra_hosts: ["legacy:10.9.8.7"]
            mem_limit: 256m
            shm_size: 16m
            ulimits: {nofile: {soft: 2000, hard: 3000}, core: 0}
            sysctls: {net.ipv4.ip_default_ttl: 77, kernel.msgmax: 4096}
            cap_add: [NET_ADMIN]
            cap_drop: [CHOWN]
            tmpfs: ["/scratch:size=4m"]
            volumes: ["data:/data", "seeded:/seeded", "./settings.txt:/etc/web.txt:ro"]
            volumes_from: ["peer:ro"]
            secrets: [key, {source: key, target: /etc/key}]
            configs: [{source: site, target: /etc/site.conf}]
            networks:
              default: {aliases: [www], ipv4_address: 10.213.77.9}
              back: {ipv4_address: 10.213.78.9}
          peer:
            <<: *app
            hostname: peer
            user: "4321:77"
            working_dir: /
            read_only: true
            volumes: ["/lent", "./settings.txt:/etc/lent.txt"]
            command: [python, /srv/web/server.py]
            networks: {back: {ipv4_address: 10.213.78.8}}
          pair:
            <<: *app
            scale: 2
            ports: ["8000"]
        networks:
          default: {ipam: {config: [{subnet: 10.213.77.0/24}]}}
          back: {internal: true, ipam: {config: [{subnet: 10.213.78.0/24}]}}
        volumes: {data: {}, seeded: {}}
        secrets: {key: {environment: KEY}}
        configs: {site: {content: "colour=${COLOUR}\\n"}}
        """,
    "settings.txt": "colour=blue\n",
    "web/Dockerfile": """\
        ARG PYTHON_IMAGE=python:3.11-slim
        FROM ${PYTHON_IMAGE}
        RUN useradd --uid 1500 --create-home app
        WORKDIR /srv/web
        COPY server.py .
        COPY --chown=app:app seeds /seeded
        COPY seeds /srv/given
        COPY seeds/one.txt /srv/later/one.txt
        RUN chmod -R u=rwX,go= /srv/given && chown -R app /srv/given && chmod a+x /srv/given/*.txt
        COPY seeds/one.txt /srv/given/two.txt
        COPY --chmod=750 seeds/one.txt /srv/closed.txt
        ADD files.tar /opt/files
        ADD files.tar /opt
        RUN mkdir -p /data && chown app /data
        ENV COLOUR=green
        USER app
        EXPOSE 8000
        CMD ["python", "server.py"]
        """,
    "web/seeds/one.txt": "one\n",
    "web/server.py": """\
        import http.server
        http.server.ThreadingHTTPServer(
            ("0.0.0.0", 8000), http.server.SimpleHTTPRequestHandler
        ).serve_forever()
        """,
    "config/parity.yaml": """\
        stack: parity
        compose_files: [../compose.yaml]
        timeouts: {start: 90, command: 60}
        variables: {KEY: a-key-of-the-test, COLOUR: red}
        """,
    ".env.integration.example": "# PYTHON_IMAGE=python:3.11-slim\n",
    "tasks.py": """\
        from stackproof.tasks import namespace
        ns = namespace()
        """,
    "pytest.ini": "[pytest]\n",
    "faults.py": FAULTS,
}  # fmt: skip

LOOK = """
import json, os, resource, shutil, socket, stat, time, urllib.request

def address_of(name):
    try:
        return socket.gethostbyname(name)
    except OSError:
        return "unknown"

def addresses_of(name):
    try:
        return socket.gethostbyname_ex(name)[2]
    except OSError:
        return []

def write(path):
    try:
        with open(path, "w"):
            return "written"
    except OSError:
        return "refused"

def about(path):
    found = os.stat(path)
    return [stat.filemode(found.st_mode), found.st_uid, found.st_gid, os.access(path, os.W_OK)]

def answers(host):
    deadline = time.monotonic() + 30
    while True:
        try:
            return urllib.request.urlopen(f"http://{host}:8000/", timeout=10).status
        except OSError as error:
            reason = getattr(error, "reason", error)
            if not isinstance(reason, ConnectionRefusedError) or time.monotonic() > deadline:
                return str(reason)  # else it has only just begun
            time.sleep(0.05)

status = dict(line.split(":", 1) for line in open("/proc/self/status"))
limited = os.uname().nodename == "front"  # else Docker's defaults are higher than ours may be
granted = ("/run/secrets/key", "/etc/key", "/etc/site.conf")
names = ("web", "www", "peer", "legacy", "localhost", "nobody")
print(json.dumps({
    "user": [os.getuid(), os.getgid(), os.getgroups(), os.umask(0o22)],
    "place": [os.getcwd(), os.uname().nodename, os.environ.get("HOME")],
    "environment": {name: os.environ.get(name) for name in ("GREETING", "EMPTY", "COLOUR")},
    "command": open("/proc/1/cmdline").read().split("\\0")[1:],
    "names": {name: address_of(name) for name in names},
    "pair": len(addresses_of("pair")),
    "hosts": sorted({tuple(line.split()[:2]) for line in open("/etc/hosts") if "." in line}),
    "resolver": [line.split()[1] for line in open("/etc/resolv.conf") if "nameserver" in line],
    "links": sorted(os.listdir("/sys/class/net")),
    "answers": {name: answers(name) for name in ("localhost", "peer", "web")},
    "files": {path: about(path) for path in (
        "/", "/tmp", "/dev/shm", "/data", "/seeded", "/seeded/one.txt", "/srv/web",
        "/srv/web/server.py", "/etc/web.txt", *granted, "/lent", "/etc/lent.txt",
        "/opt/files/inner/two.txt", "/opt/inner", "/opt/inner/two.txt", "/proc/sys", "/usr/bin",
        *(["/scratch"] if os.path.exists("/scratch") else []),
    ) if os.path.exists(path)},
    "granted": {path: open(path).read() for path in granted if os.path.exists(path)},
    "written": {path: write(path) for path in (
        "/x", "/tmp/x", "/dev/shm/x", "/data/x", "/srv/web/x", "/srv/web/server.py", "/etc/x",
        "/etc/web.txt", "/usr/bin/x", "/scratch/x", "/proc/sys/kernel/hostname", "/sys/x",
        "/lent/x", "/etc/lent.txt", *granted,
    )},
    "sizes": {path: shutil.disk_usage(path).total for path in ("/dev/shm", "/scratch")
              if os.path.exists(path)},
    "limits": [resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))
               for name in ("NOFILE", "CORE", "MEMLOCK")][: 3 if limited else 0],
    "settings": [open(f"/proc/sys/{name}").read().strip()
                 for name in ("net/ipv4/ip_default_ttl", "kernel/msgmax")],
    "rights": [status[key].strip() for key in ("CapInh", "CapEff", "CapBnd", "CapAmb")],
    "devices": sorted(set(os.listdir("/dev")) - {"console"}),
}))
"""


def asked(folder, state, engine, project):
    """What both services see on an engine."""
    environment = {
        **os.environ,
        "STACKPROOF_STATE_DIR": str(state),
        "STACKPROOF_ENGINE": engine,
        "STACKPROOF_PROJECT": project,
    }
    if engine == "process":
        environment["STACKPROOF_WORLD"] = "private"

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=folder, env=environment, text=True,
            capture_output=True, timeout=240, check=False,
        )  # fmt: skip

    def invoke(*arguments):
        done = run("invoke", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        invoke("up")
        found = {
            name: json.loads(invoke("exec", name, "--", "python", "-c", LOOK))
            for name in ("web", "peer")
        }
        faults = [
            run("pytest", "-q", "-p", "no:cacheprovider", "-k", words, "faults.py")
            for words in ("leaves", "over or kind")
        ]
        invoke("down")
        return found, faults
    finally:
        for run in find_runs(state):
            take_down(RunFolder(state, run.project), seconds=20)


@pytest.fixture(scope="module")
def seen(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    (folder / "inner").mkdir()
    (folder / "inner" / "two.txt").write_text("two\n")
    subprocess.run(
        ["tar", "--owner=0", "--group=77", "-C", folder, "-cf", folder / "web/files.tar", "inner"],
        check=True,
    )
    with tempfile.TemporaryDirectory(prefix="stackproof-parity-") as outer:
        Path(outer).chmod(0o755)
        return [
            asked(folder, Path(outer) / engine, engine, f"world-parity-{engine}-{os.getpid()}")
            for engine in ("process", "compose")
        ]


@pytest.mark.parametrize("service", ["web", "peer"])
def test_a_program_sees_the_same_in_a_private_world_as_in_a_container(seen, service):
    world, container = (one[service] for one, _ in seen)
    assert world == container


@pytest.mark.parametrize("number", [0, 1], ids=["process", "compose"])
def test_the_network_fails_on_purpose_until_it_is_healed_or_its_test_has_ended(seen, number):
    killed, after_it = seen[number][1]
    assert killed.returncode == 9, killed.stdout + killed.stderr
    assert after_it.returncode == 0, after_it.stdout + after_it.stderr


def test_the_name_of_a_service_leads_to_all_its_replicas(seen):
    assert [one["web"]["pair"] for one, _ in seen] == [2, 2]
    assert [one["peer"]["pair"] for one, _ in seen] == [0, 0]  # it is in another network


def test_a_service_reads_its_secrets_and_configs_that_are_no_files(seen):
    for one, _ in seen:
        assert one["web"]["granted"] == {
            "/run/secrets/key": "a-key-of-the-test", "/etc/key": "a-key-of-the-test",
            "/etc/site.conf": "colour=red\n",
        }  # fmt: skip
