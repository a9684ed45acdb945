"""A stranger's stack runs as it is: names, ports and paths are built into its programs."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from stackproof.engines.process.world.network_link import PROGRAM
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.sweep import descendants
from stackproof.waiting import wait_until

FILES = {
    "compose.yaml": """\
        services:
          front:
            build: front
            ports: ["8080:8000"]
            volumes: ["uploads:/data", "./settings.txt:/etc/front/settings.txt:ro"]
            depends_on:
              back: {condition: service_healthy}
              redis: {condition: service_healthy}
              db: {condition: service_healthy}
          back:
            build: back
            user: "1234"
            environment: {WHO: back}
            expose: ["8000"]
            tmpfs: ["/scratch"]
            networks: {default: {aliases: [background]}}
            healthcheck:
              test: ["CMD", "python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8000/')"]
              interval: 1s
          redis:
            image: redis:7
          db:
            image: postgres:16
            environment: {POSTGRES_PASSWORD: secret-of-the-test, POSTGRES_DB: shop_e2e}
        volumes: {uploads: {}}
        """,
    "front/Dockerfile": """\
        FROM python:3.11-slim
        WORKDIR /srv/front
        COPY . .
        CMD ["python", "server.py"]
        """,
    "front/server.py": """\
        import http.server, json, os, socket, urllib.request

        BACK = "http://background:8000/"

        def redis(command):
            with socket.create_connection(("redis", 6379), timeout=20) as link:
                link.sendall(command + b"\\r\\n")
                return link.recv(100).decode()

        def world():
            with open("/data/visits", "a") as file:
                file.write("x")
            socket.create_connection(("db", 5432), timeout=20).close()
            return {
                "environment": dict(os.environ),
                "folder": os.getcwd(),
                "process": os.getpid(),
                "host": socket.gethostname(),
                "redis": redis(b"PING"),
                "back": urllib.request.urlopen(BACK, timeout=20).read().decode(),
                "addresses": {n: socket.gethostbyname(n) for n in ("front", "back", "redis", "db")},
                "settings": open("/etc/front/settings.txt").read(),
                "root": sorted(os.listdir("/")),
                "mounts": sorted(line.split()[4] for line in open("/proc/self/mountinfo")),
                "visits": len(open("/data/visits").read()),
            }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(world()).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

        http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
        """,
    "back/Dockerfile": """\
        FROM python:3.11-slim
        WORKDIR /srv/back
        COPY server.py .
        CMD ["python", "server.py"]
        """,
    "back/server.py": """\
        import http.server, os

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"{os.environ['WHO']} {os.getuid()} {os.getcwd()}".encode())

        http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
        """,
    "settings.txt": "colour=blue\n",
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        world: private
        ports: {front: PORT0, db: PORT1, redis: PORT2}
        database: {service: db, name: shop_e2e}
        """,
}  # fmt: skip


@pytest.fixture
def shop(project, free_ports):
    for name, text in FILES.items():
        project.write(name, text)
    for number, port in enumerate(free_ports[:3]):
        project.replace("config/shop.yaml", f"PORT{number}", str(port))
    return project


HERE = "host.docker.internal"


def visit(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def test_peers_ports_and_paths_that_are_built_in_need_no_change(shop, free_ports):
    shop.invoke("up")
    seen = visit(f"http://127.0.0.1:{free_ports[0]}/")
    assert seen["back"] == "back 1234 /srv/back"
    assert (seen["redis"], seen["folder"], seen["host"]) == ("+PONG\r\n", "/srv/front", "front")
    assert (seen["process"], seen["settings"]) == (1, "colour=blue\n")
    assert len(set(seen["addresses"].values())) == 4
    assert str(shop.folder) not in json.dumps(seen)

    rows = shop.invoke("exec", "db", "--", "psql", "-Atc", "select current_database()")
    assert rows.strip() == "shop_e2e"
    code = "import os, socket; print(os.getuid(), os.getcwd(), socket.gethostbyname('front'))"
    inside = shop.invoke("exec", "back", "--", "python", "-c", code)
    assert inside.split() == ["1234", "/srv/back", seen["addresses"]["front"]]

    with socket.create_server(("127.0.0.1", 0)) as named:
        port = named.getsockname()[1]
        shop.replace("config/shop.yaml", "world:", f"external: ['{HERE}:{port}']\nworld:")
        shop.invoke("up")
        connect = f"import socket; print(socket.socket().connect_ex(('{HERE}', PORT)))"
        for number, answer in ((port, "0"), (8080, "0"), (9, str(errno.ECONNREFUSED))):
            code = connect.replace("PORT", str(number))
            assert shop.invoke("exec", "back", "--", "python", "-c", code).strip() == answer
    told = (shop.run_folder.path / "events.jsonl").read_text()
    assert f"port={port} refused= failed=" in told
    assert f"refused=`external` does not name {HERE}:9 " in told

    shop.invoke("restart", "front")
    assert visit(f"http://127.0.0.1:{free_ports[0]}/")["visits"] == 2  # its volume outlasts it
    assert not (shop.folder / "front" / "visits").exists()
    shop.invoke("down")
    shop.wait_until_nothing_is_left()


COPIES = int(os.environ.get("STACKPROOF_COPIES", "3"))
"""Of the stack, at once; eight take a busy machine of two processors half a minute."""

LOOK = r"""
echo "host:"; cat /proc/sys/kernel/hostname /etc/hostname; id; pwd; umask
echo "names:"; cat /etc/hosts /etc/resolv.conf /etc/nsswitch.conf
for name in front back background redis db; do getent hosts $name; done
echo "users:"; cat /etc/passwd /etc/group
echo "command:"; tr '\\0' '\\n' < /proc/1/cmdline
echo "environment:"; tr '\\0' '\\n' < /proc/1/environ | sort; env | sort
echo "listens:"; awk '$4 == "0A" {print $2}' /proc/net/tcp | sort
echo "routes:"; awk '{print $1, $2, $3, $8}' /proc/net/route
echo "mounts:"; awk '{print $5, $6}' /proc/self/mountinfo | sort
echo "files:"; ls -lan / /etc /dev /data /srv/* | awk '{print $1, $3, $4, $9, $10, $11}'
echo "rights:"; ulimit -a; grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs)' /proc/self/status
"""

HOLD_A_COPY = """\
import json, os, pathlib, sys
from stackproof.isolation.isolated import open_stack
from stackproof.stack.resolved import StackRequest

own = open_stack(StackRequest(pathlib.Path.cwd(), dict(os.environ), stack="shop"), lambda _: None)
argv = ["sh", "-c", pathlib.Path("look.sh").read_text()]
names = ("front", "back", "redis", "db")
seen = {name: own.stack.service(name).exec(argv).stdout for name in names}
print(json.dumps([own.stack.url("front"), str(own.stack.plan.run_folder), seen]), flush=True)
sys.stdin.read()
own.close(lambda _: None)
"""


def test_copies_at_once_see_the_same_world_and_do_not_meet(shop):
    shop.write("hold.py", HOLD_A_COPY)
    shop.write("look.sh", LOOK)
    holders = [
        subprocess.Popen(
            [sys.executable, "hold.py"], cwd=shop.folder, env=shop.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        for _ in range(COPIES)
    ]  # fmt: skip
    try:
        told = [json.loads(holder.stdout.readline()) for holder in holders]
        worlds = [visit(url) for url, _, _ in told]  # all copies are up now
    finally:
        for holder in holders:
            holder.communicate(timeout=120)
    assert [holder.returncode for holder in holders] == [0] * COPIES
    assert len({url for url, _, _ in told}) == COPIES
    assert worlds == [worlds[0]] * COPIES
    assert worlds[0]["visits"] == 1
    for service, first in told[0][2].items():
        assert [seen[service] for _, _, seen in told] == [first] * COPIES
        assert "\n172.18.0.2      front\n" in first
    for service, port in {"front": 8000, "back": 8000, "redis": 6379, "db": 5432}.items():
        assert f"\n00000000:{port:04X}\n" in told[0][2][service]
    run_folders = [Path(folder) for _, folder, _ in told]
    assert not [one for one in run_folders if one.name in json.dumps(told[0][2])]
    shop.wait_until_nothing_is_left()


@pytest.mark.parametrize("victim", ["owner", "reaper", "supervisor"])
def test_nothing_of_it_outlives_its_owner_its_reaper_or_its_supervisor(shop, victim):
    shop.write("hold.py", HOLD)
    holder = subprocess.Popen(
        [sys.executable, "hold.py"], cwd=shop.folder, env=shop.environment, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    folder = Path(holder.stdout.readline().strip())
    state = read_run(folder)
    named = {"owner": holder.pid, "reaper": state.reaper.pid, "supervisor": state.supervisor.pid}
    os.kill(named[victim], signal.SIGKILL)
    wait_until(lambda: not folder.exists(), timeout=60, what="its folder is removed")
    holder.kill()
    holder.communicate()
    shop.wait_until_nothing_is_left()


HOLD = """\
import os, pathlib, time
from stackproof.isolation.isolated import open_stack
from stackproof.stack.resolved import StackRequest

own = open_stack(StackRequest(pathlib.Path.cwd(), dict(os.environ), stack="shop"), lambda _: None)
print(own.stack.plan.run_folder, flush=True)
time.sleep(600)
"""


FAULTS = """\
import socket, time, urllib.request
import pytest
from stackproof.errors import ConfigError

ASK = "import urllib.request as u; print(u.urlopen('http://back:8000/', timeout=LIMIT).read())"

def asked(stack, limit):
    argv = ["python", "-c", ASK.replace("LIMIT", str(limit))]
    begun = time.monotonic()
    done = stack.service("front").exec(argv)
    return done.exit_code == 0, time.monotonic() - begun

@pytest.mark.stack(isolation="test")
def test_two_services_do_not_hear_each_other(stack):
    assert asked(stack, 30)[0]
    with stack.network.cut("front", "back"):
        assert not asked(stack, 2)[0]
        assert stack.service("front").exec(["getent", "hosts", "db"]).exit_code == 0
    assert asked(stack, 30)[0]
    with stack.network.delay("front", "back", ms=1500):
        answered, seconds = asked(stack, 60)
        assert answered and seconds > 3
    stack.network.lose("front", "back", 100)
    assert not asked(stack, 2)[0]
    stack.network.heal()
    assert asked(stack, 30)[0]
    with pytest.raises(ConfigError, match="no service bakc"):
        stack.network.cut("front", "bakc")
"""


def test_what_two_services_say_to_each_other_can_be_cut_delayed_and_lost(shop):
    shop.write("tests/own/test_own.py", FAULTS)
    shop.write("pytest.ini", "[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/own"]
    done = subprocess.run(
        command, cwd=shop.folder, env=shop.environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    shop.wait_until_nothing_is_left()


def test_a_program_that_hears_no_signal_is_not_waited_for(shop):
    shop.replace(
        "compose.yaml", 'expose: ["8000"]', 'stop_grace_period: 600s\n    expose: ["8000"]'
    )
    shop.invoke("up")
    shop.invoke("restart", "back")
    shop.invoke("down")
    shop.wait_until_nothing_is_left()


def test_a_stack_whose_network_has_ended_is_not_taken_for_well(shop):
    shop.write("compose.yaml", "services: {redis: {image: redis:7, restart: always}}")
    shop.write(
        "config/shop.yaml", "{stack: shop, compose_files: [../compose.yaml], world: private}"
    )
    shop.invoke("up")
    supervisor = read_run(shop.run_folder.path).supervisor
    (network,) = (
        one for one in descendants(supervisor.pid)
        if PROGRAM.encode() in Path("/proc", str(one.pid), "cmdline").read_bytes()
    )  # fmt: skip
    network.kill()
    events = shop.run_folder.path / "events.jsonl"
    wait_until(lambda: '"failed"' in events.read_text(), timeout=60, what="it is said")
    told = "the network process has ended with status -9, and with it the stack's network"
    assert told in shop.invoke("status", code=1)
    assert told in shop.invoke("logs", "--service", "redis")
    assert "the network process does not run" in shop.invoke("restart", "redis", code=1)
    shop.invoke("down")
    shop.wait_until_nothing_is_left()


SERVERS = """\
services:
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: secret-of-the-test, POSTGRES_DB: shop_e2e}
  redis:
    image: redis:7
"""
CONFIG = """\
stack: shop
compose_files: [../compose.yaml]
world: private
ports: {db: PORT0, redis: PORT1}
"""


def test_an_ordinary_user_has_one_as_well(other_user, free_ports):
    folder = other_user.home / "shop"
    (folder / "config").mkdir(parents=True)
    (folder / "compose.yaml").write_text(SERVERS)
    config = CONFIG.replace("PORT0", str(free_ports[0])).replace("PORT1", str(free_ports[1]))
    (folder / "config" / "shop.yaml").write_text(config)
    (folder / "tasks.py").write_text("from stackproof.tasks import namespace\nns = namespace()\n")
    other_user.owns(folder)

    def invoke(*arguments):
        code = "from invoke.main import program; program.run()"
        done = other_user.python(code, *arguments, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    invoke("up")
    try:
        seen = invoke("exec", "redis", "--", "sh", "-c", "id -u; cat /proc/sys/kernel/hostname")
        assert seen.split() == ["65534", "redis"]
        sql = "select current_user, inet_server_port()"
        rows = invoke("exec", "db", "--", "psql", "-h", "db", "-Atc", sql)
        assert rows.strip() == "postgres|5432"
    finally:
        invoke("down")
    assert list((other_user.home / ".cache" / "stackproof").glob("run-*")) == []
