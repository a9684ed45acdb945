"""A project with a service that has rules for changed files, and one that has none."""

import pytest

from stackproof.stack.resolved import StackRequest, resolve

COMPOSE = """\
services:
  api:
    build: ./api
    command: python main.py
    environment: {GREETING: hello}
  web:
    build: ./web
    command: python main.py
    develop:
      watch:
        - {action: rebuild, path: ./web/requirements.txt}
        - {action: sync, path: ./web/static, target: /app/static, ignore: ["*.md", drafts/]}
        - {action: sync, path: ./web/pages, target: /app/pages, include: "*.html"}
        - {action: sync+exec, path: ./web/conf, target: /app/conf, exec: {command: nginx -s reload}}
        - {action: sync+restart, path: ./web/main.py, target: /app/}
        - {action: restart, path: ./web/restart.txt}
"""
DOCKERFILE = "FROM python:3.12\nWORKDIR /app\nCOPY . .\n"


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.write("compose.yaml", COMPOSE)
        self.write("config/shop.yaml", "stack: shop\ncompose_files: [../compose.yaml]\n")
        for name in ("api", "web"):
            self.write(f"{name}/Dockerfile", DOCKERFILE)
            self.write(f"{name}/requirements.txt", "")
            self.write(f"{name}/main.py", "print(1)\n")
        for name in ("static/a.css", "static/drafts/b.css", "conf/c.conf", "restart.txt"):
            self.write(f"web/{name}", "1\n")
        self.write("web/static/readme.md", "1\n")
        self.write("web/pages/index.html", "1\n")

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def edit(self, old, new):
        path = self.folder / "compose.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def resolve(self):
        state = {"STACKPROOF_STATE_DIR": str(self.folder.parent / "state")}
        return resolve(StackRequest(self.folder, state, stack="shop"))


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path / "shop")
