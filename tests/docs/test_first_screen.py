"""The first screen of the README is true: its commands work, and a failure looks as it is shown."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.docs.pages import ROOT, blocks, commands

from stackproof.reaper.port_claims import claim

FIRST_SECTION = next(
    number
    for number, line in enumerate((ROOT / "README.md").read_text().splitlines(), 1)
    if line.startswith("## ")
)
SCREEN = [block for block in blocks("console", "text", "yaml")
          if block.page == "README.md" and block.line < FIRST_SECTION]  # fmt: skip
COMMANDS = [line for block in SCREEN if block.language == "console"
            for line in commands(block.text)]  # fmt: skip
(CONFIG,) = [block.text for block in SCREEN if block.language == "yaml"]
WORKS, FAILS = [block.text for block in SCREEN if block.language == "text"]

FILES = {
    "compose.yaml": """\
services:
  api:
    build: .
    command: python -m shop.api
    environment:
      DATABASE_URL: postgresql://shop:${POSTGRES_PASSWORD:-shop}@db:5432/${POSTGRES_DB:-shop}
    ports: ["8000:8000"]
    healthcheck: {test: "curl -f http://localhost:8000/health"}
    depends_on: {db: {condition: service_healthy}}
  db:
    image: postgres:16
    environment:
      POSTGRES_USER: shop
      POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-shop}
      POSTGRES_DB: ${POSTGRES_DB:-shop}
    ports: ["5432:5432"]
""",
    "Dockerfile": "FROM python:3.12-slim\nWORKDIR /app\nCOPY shop shop\n",
    "shop/migrate.py": "",
    "shop/seed.py": "",
    "shop/api.py": """\
import http.server
import os


class Shop(http.server.BaseHTTPRequestHandler):
    currency = os.environ["CURRENCY"]

    def do_GET(self):
        self.send_response(200)
        self.end_headers()


http.server.ThreadingHTTPServer(("", int(os.environ.get("PORT", "8000"))), Shop).serve_forever()
""",
}


@pytest.fixture
def shop(tmp_path):
    """Type a command of the first screen in the project that it speaks of."""
    folder = tmp_path / "shop"
    held = []
    ports = dict(zip(("18000", "15432"), claim(2, held), strict=True))
    for claimed in held:
        claimed.close()
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    project = f"shop-{tmp_path.parent.name}"
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "STACKPROOF_PROJECT": project,
        "STACKPROOF_PORT_API": str(ports["18000"]),
        "STACKPROOF_PORT_DB": str(ports["15432"]),
    }

    def run(command, *, code):
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, check=False, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == code, done.stdout
        said = done.stdout.replace(f"{folder}/", "").replace(project, "shop-e2e")
        return swapped(said, {str(free): shown for shown, free in ports.items()})

    yield run
    subprocess.run(["invoke", "down", "--force"], cwd=folder, env=environment, check=False)


def swapped(text, words):
    for before, after in words.items():
        text = text.replace(before, str(after))
    return text


def shape(line):
    """A line without what differs from run to run."""
    return re.sub(r"\d{8}T\d{6}Z-\w+", "RUN", re.sub(r"^ *\d+\.\d s ", "TIME ", line)).rstrip()


def assert_shown(expected, output):
    """Every line that is shown comes, in the same order, and nothing between but where `…` is."""
    lines = [shape(line) for line in output.splitlines()]
    at, anywhere = -1, True
    for line in expected.splitlines():
        if line == "…":
            anywhere = True
            continue
        wanted = shape(line)
        assert wanted in lines[at + 1 :], f"{wanted!r} is not in\n{output}"
        found = lines.index(wanted, at + 1)
        assert anywhere or found == at + 1, f"{lines[at + 1]!r} is not shown before {wanted!r}"
        at, anywhere = found, False


def test_its_commands_bring_up_the_shop_and_a_failure_looks_as_it_is_shown(shop, tmp_path):
    typed = [line for line in COMMANDS if not line.startswith(("pip ", "./dev"))]
    *prepare, up = typed
    for command in prepare:
        shop(command, code=0)
    made = (tmp_path / "shop" / "config" / "shop.yaml").read_text()
    assert settings_in(made) == settings_in(CONFIG)
    assert_shown(FAILS, shop(up, code=1))
    shop('sed -i \'s/\\["CURRENCY"\\]/.get("CURRENCY")/\' shop/api.py', code=0)
    assert_shown(WORKS, shop(up, code=0))


def settings_in(text):
    """What a config says, but for its ports, which are others where somebody has these."""
    found = yaml.safe_load(text)
    return {**found, "ports": list(found["ports"])}


def test_its_configuration_has_no_more_than_twelve_lines():
    assert len(CONFIG.splitlines()) <= 12
