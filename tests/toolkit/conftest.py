"""A stranger's small project: a web server, a one-shot, PostgreSQL and Redis."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest
from tests.processes import running_below

from stackproof.errors import WaitTimeout
from stackproof.reaper.leftovers import find_runs
from stackproof.reaper.run_folder import RunFolder
from stackproof.reaper.takedown import take_down
from stackproof.waiting import wait_until

CANARIES = {
    "DB_PASSWORD": "canary-db-p@ss/word",
    "DB_URL_PASSWORD": "canary-db-p%40ss%2Fword",
    "SHOP_API_KEY": "canary-shop-key-1234",
}

DEPTH = 9
"""Files of a run that are worth naming: not those of its data."""

FILES = {
    "compose.yaml": """\
        services:
          web:
            build: web
            command: python server.py --port 8000
            environment:
              GREETING: ${GREETING:-hello}
              DATABASE_URL: postgresql://shop:${DB_URL_PASSWORD}@db:5432/shop_e2e
              SHOP_API_KEY: ${SHOP_API_KEY}
            ports: ["8000:8000"]
            healthcheck:
              test: curl -f http://localhost:8000/health || exit 1
            depends_on:
              db: {condition: service_healthy}
              once: {condition: service_completed_successfully}
          once:
            build: web
            command: python -c "print('prepared')"
          db:
            image: postgres:16
            environment:
              POSTGRES_USER: shop
              POSTGRES_PASSWORD: ${DB_PASSWORD}
              POSTGRES_DB: shop_e2e
              DATABASE_URL: ${DB_URL:-postgresql://shop@db:5432/shop_e2e}
              PGPASSWORD: ${DB_PASSWORD}
            volumes: ["./scripts:/scripts:ro"]
          cache:
            image: redis:7
        """,
    "web/Dockerfile": """\
        FROM python:3.11-slim
        WORKDIR /app
        COPY . .
        """,
    "web/server.py": """\
        import http.server, os, sys
        print("key is", os.environ["SHOP_API_KEY"], flush=True)
        if os.environ["GREETING"] == "broken":
            sys.exit("no greeting today")
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = os.environ["GREETING"].encode()
                self.send_response(200); self.end_headers(); self.wfile.write(body)
        port = int(sys.argv[sys.argv.index("--port") + 1])
        http.server.ThreadingHTTPServer(("0.0.0.0", port), Handler).serve_forever()
        """,
    "config/shop.yaml": """\
        stack: shop
        compose_files: [../compose.yaml]
        variables: {GREETING: hello, DB_PASSWORD: unset-password, SHOP_API_KEY: unset-key}
        ports: {web: PORT0, db: PORT1, cache: PORT2}
        database: {service: db, name: shop_e2e}
        migrate: {service: db, command: [sh, /scripts/migrate.sh]}
        seed: {service: db, command: [sh, /scripts/seed.sh]}
        timeouts: {start: 60, command: 60}
        """,
    "scripts/migrate.sh": """\
        psql -q "$DATABASE_URL" -c "create table if not exists item (id int primary key)"
        """,
    "scripts/seed.sh": """\
        psql -q "$DATABASE_URL" -c "insert into item values (1), (2) on conflict do nothing"
        """,
    ".env.integration.example": """\
        # What the stack needs.
        DB_PASSWORD=
        DB_URL_PASSWORD=
        SHOP_API_KEY=
        """,
    "tasks.py": """\
        from stackproof.tasks import namespace
        ns = namespace()
        """,
    "tests/integration/test_shop.py": """\
        import httpx, pytest
        pytestmark = pytest.mark.integration
        def test_greets(running_stack):
            assert httpx.get(running_stack.url("web")).text == "hello"
        def test_has_items(running_stack):
            assert running_stack.rows("select count(*) as n from item") == [{"n": 2}]
        """,
}  # fmt: skip


@pytest.fixture(autouse=True)
def usual_signals():
    """Undo what started the tests: `nohup` and a script's `&` let all below ignore signals."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    ignored = [one for one in usual if signal.getsignal(one) is signal.SIG_IGN]
    for one in ignored:
        signal.signal(one, usual[one])
    yield
    for one in ignored:
        signal.signal(one, signal.SIG_IGN)


class Project:
    """A project folder, and the commands that a person types in it."""

    def __init__(self, folder, ports):
        self.folder = folder
        self.outer = Path(tempfile.mkdtemp(prefix="stackproof-test-"))
        self.outer.chmod(0o755)  # PostgreSQL does not run as root, and pytest's folders are private
        self.state = self.outer / "state"
        asked = ("STACKPROOF_KILL", "STACKPROOF_COPIES")  # the tests' own
        own = {name for name in os.environ if name.startswith(asked)}
        given = {name: value for name, value in os.environ.items() if name not in own}
        self.environment = {**given, "STACKPROOF_STATE_DIR": str(self.state)}
        for name, text in FILES.items():
            self.write(name, text)
        for number, port in enumerate(ports):
            self.replace("config/shop.yaml", f"PORT{number}", str(port))
        lines = [f"{name}={value}" for name, value in CANARIES.items()]
        self.write(".env.integration", "\n".join(lines) + "\n")
        self.run_folder = RunFolder(self.state, "shop-e2e")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def replace(self, name, old, new):
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def start(self, *arguments, **more):
        command = [sys.executable, "-m", "invoke", *arguments]
        return subprocess.Popen(
            command, cwd=self.folder, env={**self.environment, **more}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def invoke(self, *arguments, code=0, **more):
        """Run a task; give back all that it says."""
        process = self.start(*arguments, **more)
        output, _ = process.communicate(timeout=180)
        assert process.returncode == code, output
        assert "Traceback" not in output
        return output

    def end_database(self):
        """End PostgreSQL by a signal that it hears as the first process of a room as well."""
        code = (
            'pid=$(head -1 "$PGDATA/postmaster.pid"); kill -QUIT "$pid"; '
            'while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done'
        )
        self.start("exec", "db", "--", "sh", "-c", code).communicate(timeout=180)  # may end with it

    def left(self):
        """What is left of the project's runs: files and processes."""
        found = [str(path) for path in self.state.rglob("*") if len(path.parts) < DEPTH]
        return [*found, *running_below(self.state)]

    def nothing_is_left(self):
        return not self.state.exists() and not self.left()

    def wait_until_nothing_is_left(self):
        try:
            wait_until(self.nothing_is_left, timeout=30, what="nothing is left")
        except WaitTimeout as error:
            error.add_note("\n".join(self.left()))
            raise


@pytest.fixture
def project(tmp_path, free_ports):
    made = Project(tmp_path, free_ports)
    yield made
    for run in find_runs(made.state):
        take_down(RunFolder(made.state, run.project), seconds=5)
    made.wait_until_nothing_is_left()
    made.outer.rmdir()


@pytest.fixture
def nox(project):
    """Run a session of a small project in this environment; give back all that it says."""
    project.write(
        "noxfile.py",
        "from pathlib import Path\n"
        "from stackproof.sessions import Project, define_sessions\n"
        "define_sessions(Project(root=Path(__file__).parent, packages=()))\n",
    )

    def run(*words, code=1, sessions=("-s", "integration")):
        done = subprocess.run(
            [sys.executable, "-m", "nox", "--no-venv", *sessions, "--", *words],
            cwd=project.folder, env=project.environment, capture_output=True, text=True,
            check=False, timeout=300,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    return run


@pytest.fixture
def free_ports():
    from stackproof.reaper.port_claims import claim

    held = []
    yield claim(3, held)
    for one in held:
        one.close()


@pytest.fixture
def interrupted():
    """Send Ctrl-C to a command's whole group, as a terminal does."""

    def interrupt(process):
        os.killpg(process.pid, signal.SIGINT)

    return interrupt
