"""One stack file, two engines: what a service sees, and what the tasks print, is the same.

Each test asks both copies the same and compares; `docs/reference/engines.md` lists what differs.
"""

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import httpx
import pytest

from stackproof import lifecycle
from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.port_claims import claim
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

WAIT = 30.0

FILES = {
    "compose.yaml": """\
        services:
          web:
            build: &build
              context: web
              args: {PYTHON_IMAGE: "${PYTHON_IMAGE:-python:3.11-slim}"}
            command: python server.py
            environment:
              PLAIN: "a value with spaces, a $$dollar and 'quotes'"
              EMPTY: ""
              FROM_SETTINGS: stack file
              DATABASE_URL: postgresql://shop:${DB_PASSWORD}@db:5432/shop_e2e
              CACHE_HOST: cache
              CACHE_PORT: "6379"
              WORDS: /words/words.txt
              KEEP: /keep
              PORT: "8000"
            env_file: web.env
            tmpfs: /tmp:size=8m
            ports: ["8000:8000"]
            volumes: ["./words:/words:ro", "keep:/keep"]
            healthcheck:
              test: [CMD, python, -c, "import urllib.request as u; u.urlopen('http://localhost:8000/')"]
              interval: 1s
              start_interval: 200ms
              retries: 30
            depends_on:
              db: {condition: service_healthy}
              once: {condition: service_completed_successfully}
            restart: unless-stopped
          once:
            build: *build
            command: ["python", "-c", "print('prepared')"]
          db:
            image: ${POSTGRES_IMAGE:-postgres:16}
            environment:
              POSTGRES_USER: shop
              POSTGRES_PASSWORD: ${DB_PASSWORD}
              POSTGRES_DB: shop_e2e
            volumes: ["./init:/docker-entrypoint-initdb.d:ro"]
          cache:
            image: ${REDIS_IMAGE:-redis:7}
            ports: ["6379"]
        volumes: {keep: {}}
        """,
    "web.env": "FROM_FILE='of the file'\n",
    "words/words.txt": "one two three\n",
    "init/10-tables.sql": "create table item (id int primary key);\n",
    "web/Dockerfile": """\
        ARG PYTHON_IMAGE=python:3.11-slim
        FROM ${PYTHON_IMAGE}
        WORKDIR /app
        COPY . .
        """,
    "web/server.py": """\
        import http.server, json, os, pathlib, shutil, socket, sys, tempfile

        def knock(host, port, sent=b""):
            with socket.create_connection((host, int(port)), timeout=10) as link:
                link.sendall(sent)
                return link.recv(100).decode() if sent else "open"

        def facts():
            from urllib.parse import urlsplit
            database = urlsplit(os.environ["DATABASE_URL"])
            keep = pathlib.Path(os.environ["KEEP"], "visits")
            visits = len(keep.read_text()) if keep.exists() else 0
            with tempfile.NamedTemporaryFile() as file:
                writes = pathlib.Path(file.name).exists()
            return {
                "environment": dict(os.environ),
                "cache": knock(os.environ["CACHE_HOST"], os.environ["CACHE_PORT"], b"PING\\r\\n"),
                "database": knock(database.hostname, database.port),
                "database_path": database.path,
                "words": pathlib.Path(os.environ["WORDS"]).read_text(),
                "visits": visits,
                "writes_temporary_files": writes,
                "temporary_bytes": shutil.disk_usage(tempfile.gettempdir()).total,
                "stdin": sys.stdin.read(),
                "folder_has": sorted(str(one) for one in pathlib.Path().glob("*.py")),
            }

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/visit":
                    with open(os.path.join(os.environ["KEEP"], "visits"), "a") as file:
                        file.write("x")
                if self.path == "/end":
                    print("I end", flush=True)
                    os._exit(3)
                body = json.dumps(facts() if self.path == "/facts" else {}).encode()
                self.send_response(200); self.end_headers(); self.wfile.write(body)
            def log_message(self, *_):
                pass

        print("serving", os.environ["PLAIN"], flush=True)
        print("a complaint", file=sys.stderr, flush=True)
        address = ("0.0.0.0", int(os.environ["PORT"]))
        http.server.ThreadingHTTPServer(address, Handler).serve_forever()
        """,
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        variables: {DB_PASSWORD: parity-password}
        environment: {web: {FROM_SETTINGS: settings}}
        secrets: [DB_PASSWORD]
        database: {service: db, name: shop_e2e}
        migrate: {service: db, command: [psql, -h, localhost, -U, shop, -d, shop_e2e, -c,
          "create table if not exists note (id int primary key)"]}
        timeouts: {start: 90, command: 60}
        """,
    ".env.integration.example": """\
        # PYTHON_IMAGE=python:3.11-slim
        # POSTGRES_IMAGE=postgres:16
        # REDIS_IMAGE=redis:7
        """,
    "tasks.py": """\
        from stackproof.tasks import namespace
        ns = namespace()
        """,
}  # fmt: skip

OWN = ("PLAIN", "EMPTY", "FROM_SETTINGS", "FROM_FILE", "DATABASE_URL", "CACHE_HOST", "CACHE_PORT",
       "WORDS", "KEEP", "PORT")  # fmt: skip


class Copy:
    """The same project, on one engine.

    Args:
        engine: Name of the engine.
        folder: The project folder.
        outer: A folder that servers which do not run as root can pass through.
        ports: Three free ports.
    """

    def __init__(self, engine, folder, outer, ports):
        self.engine = engine
        self.folder = folder
        self.state = outer / engine
        names = ("WEB", "DB", "CACHE")
        self.environment = {
            **os.environ,
            **{
                f"STACKPROOF_PORT_{name}": str(port)
                for name, port in zip(names, ports, strict=True)
            },
            "STACKPROOF_STATE_DIR": str(self.state),
            "STACKPROOF_ENGINE": engine,
            "STACKPROOF_PROJECT": f"parity-{engine}-{os.getpid()}",
        }
        self.ports = ports
        self.request = lifecycle.StackRequest(folder, self.environment)

    def invoke(self, *arguments, code=0, stdin=""):
        done = subprocess.run(
            [sys.executable, "-m", "invoke", *arguments], cwd=self.folder, env=self.environment,
            input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
            check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        return self.plain(done.stdout)

    def plain(self, text):
        """Output without what must differ: times, numbers of processes and ports, names."""
        text = re.sub(r"(?m)^still .*\n", "", text)  # said where it takes long
        for name, port in zip(("WEB", "DB", "CACHE"), self.ports, strict=True):
            text = text.replace(str(port), f"<{name}>")
        text = text.replace(self.environment["STACKPROOF_PROJECT"], "<PROJECT>")
        text = re.sub(r"\d\d:\d\d:\d\d\.\d+", "<TIME>", text)
        return re.sub(r" +", " ", text)

    def stack(self):
        return lifecycle.connect(lifecycle.resolve(self.request))

    def get(self, path):
        return httpx.get(self.stack().url("web") + path, timeout=WAIT)

    def facts(self):
        return self.get("/facts").json()

    def statuses(self):
        return {one.name: (one.state, one.health) for one in self.stack().running.status()}

    def close(self):
        for run in find_runs(self.state):
            take_down(RunFolder(self.state, run.project), seconds=20)


class Both:
    """Asks both copies the same."""

    def __init__(self, copies):
        self.copies = copies

    def same(self, ask):
        """What both answer; fails if that is not the same."""
        process, compose = (ask(copy) for copy in self.copies)
        assert process == compose
        return process


@pytest.fixture(scope="module")
def both(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parity")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    held = []
    with tempfile.TemporaryDirectory(prefix="stackproof-parity-") as outer:
        Path(outer).chmod(0o755)
        copies = [
            Copy(name, folder, Path(outer), claim(3, held)) for name in ("process", "compose")
        ]
        for one in held:
            one.close()
        try:
            for copy in copies:
                copy.started = copy.invoke("up")
                copy.migrated = copy.invoke("migrate")
            yield Both(copies)
        finally:
            for copy in copies:
                copy.close()


def test_both_end_with_the_same_table(both):
    table = both.same(lambda copy: copy.started[copy.started.index("SERVICE") :].splitlines())
    assert any(line.startswith("web healthy http://127.0.0.1:<WEB>") for line in table)
    assert any(line.startswith("once completed") for line in table)


def test_a_service_gets_the_same_variables(both):
    given = both.same(lambda copy: sorted(set(OWN) & set(copy.facts()["environment"])))
    assert given == sorted(OWN)


def test_values_that_name_nothing_of_the_stack_are_the_same(both):
    untouched = ("PLAIN", "EMPTY", "FROM_SETTINGS", "FROM_FILE")
    values = both.same(lambda copy: [copy.facts()["environment"][name] for name in untouched])
    assert values == ["a value with spaces, a $dollar and 'quotes'", "", "settings", "of the file"]


def test_other_services_are_reached_by_what_the_variables_say(both):
    facts = both.same(
        lambda copy: {key: copy.facts()[key] for key in ("cache", "database", "database_path")}
    )
    assert facts == {"cache": "+PONG\r\n", "database": "open", "database_path": "/shop_e2e"}


def test_mounted_files_are_there(both):
    assert both.same(lambda copy: copy.facts()["words"]) == "one two three\n"


def test_the_working_folder_is_that_of_the_image(both):
    assert both.same(lambda copy: copy.facts()["folder_has"]) == ["server.py"]


def test_temporary_files_can_be_written(both):
    assert both.same(lambda copy: copy.facts()["writes_temporary_files"]) is True


def test_a_quota_of_temporary_files_is_the_same(both):
    assert both.same(lambda copy: copy.facts()["temporary_bytes"]) == 8 << 20


def test_standard_input_is_empty(both):
    assert both.same(lambda copy: copy.facts()["stdin"]) == ""


def test_start_up_files_of_the_database_were_run(both):
    query = "select tablename from pg_tables where schemaname = 'public' order by 1"
    found = both.same(lambda copy: copy.stack().rows(query))
    assert [row["tablename"] for row in found] == ["item", "note"]


def test_both_databases_are_of_the_same_major_version(both):
    query = "select current_setting('server_version_num')::int / 10000 as major"
    assert both.same(lambda copy: copy.stack().rows(query)) == [{"major": 16}]


def test_status_is_the_same(both):
    states = both.same(Copy.statuses)
    assert states["web"] == ("running", "healthy")
    assert states["once"] == ("completed", "")


def test_the_status_task_prints_the_same_columns(both):
    head = both.same(lambda copy: copy.invoke("status").splitlines()[0])
    assert head == "SERVICE STATE HEALTH PID RESTARTS READY AFTER"


def test_addresses_are_printed_alike(both):
    text = both.same(lambda copy: copy.invoke("urls"))
    assert "web 8000 http://127.0.0.1:<WEB>" in text
    assert "parity-password" not in text


def test_migrate_says_the_same(both):
    assert "CREATE TABLE" in both.same(lambda copy: copy.migrated.splitlines()[-1])


def test_logs_tell_service_and_stream_alike(both):
    def lines(copy):
        found = copy.stack().running.logs(["web"])
        return sorted({(line.service, line.stream, line.text) for line in found})

    assert both.same(lines) == [
        ("web", "err", "a complaint"),
        ("web", "out", "serving a value with spaces, a $dollar and 'quotes'"),
    ]


def test_the_logs_task_prints_alike(both):
    text = both.same(lambda copy: copy.invoke("logs", "--service", "once"))
    assert text == "<TIME> once | prepared\n"


def test_a_command_runs_where_the_service_does(both):
    program = "import os, sys; print(os.environ['FROM_FILE'], sys.stdin.read()); sys.exit(4)"

    def run(copy):
        done = copy.stack().service("web").exec(["python", "-c", program], stdin="given")
        return done.exit_code, done.stdout

    assert both.same(run) == (4, "of the file given\n")


def test_the_exec_task_passes_on_input_output_and_status(both):
    program = "import sys; print(sys.stdin.read().upper()); sys.exit(5)"
    text = both.same(
        lambda copy: copy.invoke("exec", "web", "--", "python", "-c", program, code=5, stdin="hi")
    )
    assert "HI" in text


def test_psql_in_the_database_service_reaches_the_stacks_database_as_its_user(both):
    query = "select current_user, current_database()"
    both.same(lambda copy: copy.invoke("exec", "db", "--", "psql", "-Atc", query).strip())


def test_a_command_that_takes_too_long_is_ended(both):
    from stackproof.errors import WaitTimeout

    def run(copy):
        service = copy.stack().service("web")
        with pytest.raises(WaitTimeout) as caught:
            service.exec(["python", "-c", "import time; time.sleep(600)"], timeout=1)
        look = "import pathlib; print(any(b'sleep(600' in p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/cmdline') if p.parent.name != str(__import__('os').getpid())))"  # fmt: skip  # noqa: E501
        still_runs = service.exec(["python", "-c", look]).stdout.strip()
        return str(caught.value).splitlines()[0][:60], still_runs

    assert both.same(run)[1] == "False"


def test_data_of_a_volume_survive_a_restart(both):
    def visits(copy):
        copy.get("/visit")
        copy.stack().service("web").restart()
        return copy.facts()["visits"]

    assert both.same(visits) == 1


def test_a_service_that_was_stopped_says_so_and_starts_again(both):
    def stop_and_start(copy):
        service = copy.stack().service("web")
        with service.stopped():
            during = copy.statuses()["web"]
        return during, copy.statuses()["web"]

    assert both.same(stop_and_start) == (("stopped", ""), ("running", "healthy"))


def test_a_service_that_crashes_is_started_again_by_its_restart_policy(both):
    def crash(copy):
        service = copy.stack().service("web")
        before = service.state().restarts
        with pytest.raises(httpx.HTTPError):
            copy.get("/end")
        wait_until(
            lambda: service.state().restarts == before + 1 and service.state().state == "running",
            timeout=WAIT, what="a restart",
        )  # fmt: skip
        wait_until(lambda: _answers(copy), timeout=WAIT, what="an answer")
        return "I end" in service.logs()

    assert both.same(crash) is True


def test_a_killed_service_is_started_again_by_its_restart_policy(both):
    def kill(copy):
        service = copy.stack().service("web")
        before = service.state().restarts
        service.kill()
        wait_until(
            lambda: service.state().restarts > before and _answers(copy), timeout=WAIT,
            what="an answer after the restart",
        )  # fmt: skip
        return service.state().state

    assert both.same(kill) == "running"


def test_a_paused_service_does_not_answer_until_it_goes_on(both):
    def pause(copy):
        service = copy.stack().service("web")
        service.pause()
        with pytest.raises(httpx.TimeoutException):
            httpx.get(copy.stack().url("web"), timeout=1)
        service.unpause()
        return copy.get("/").status_code

    assert both.same(pause) == 200


def test_up_again_changes_nothing(both):
    text = both.same(lambda copy: copy.invoke("up").splitlines()[0])
    assert text == "<PROJECT> is up already and nothing has changed; it is reused"


def test_down_says_the_same_and_leaves_nothing(both):
    text = both.same(lambda copy: copy.invoke("down"))
    assert text == "<PROJECT> is down; nothing of it is left\n"
    assert both.same(lambda copy: copy.state.exists()) is False


def _answers(copy):
    try:
        return copy.get("/").status_code == 200
    except httpx.HTTPError:
        return False
