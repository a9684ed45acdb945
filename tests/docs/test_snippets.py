"""Every piece of Python or YAML that a page shows is right: types are checked, files are loaded."""

import ast
import re
import subprocess
import sys
import textwrap

import pytest
import yaml
from tests.docs.pages import ROOT, blocks

from stackproof.settings.loading import load_settings
from stackproof.stack_file import load_stack_file

FIXTURES = {
    "stack": "stackproof.stack.Stack",
    "running_stack": "stackproof.stack.Stack",
    "gateway": "stackproof_gateway.client.GatewayClient",
    "oracle": "stackproof.oracle.Oracle",
    "database": "str",
}
"""What stands for a parameter of that name in a test."""

PYTHON = blocks("python")
SOURCES = [ROOT / place / "src" for place in (".", "packages/gateway", "packages/redaction")]
YAML = [pytest.param(block, id=str(block)) for block in blocks("yaml", "yml")]


def with_types(text):
    """A snippet that mypy can check: fixtures have their types, what is not defined is anything."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for argument in node.args.args:
                name = FIXTURES.get(argument.arg, "typing.Any")
                argument.annotation = ast.parse(name, mode="eval").body
            node.returns = node.returns or ast.parse("typing.Any", mode="eval").body
    modules = sorted({name.rpartition(".")[0] for name in FIXTURES.values() if "." in name})
    head = ["import typing", *(f"import {name}" for name in modules)]
    loose = sorted(undefined(tree))
    return "\n".join([*head, *(f"{name}: typing.Any" for name in loose), ast.unparse(tree), ""])


def undefined(tree):
    """Names that a snippet uses and does not define."""
    defined = set(dir(__builtins__)) | set(__builtins__ if isinstance(__builtins__, dict) else ())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            defined |= {(one.asname or one.name).split(".")[0] for one in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.arg):
            defined.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.add(node.id)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used - defined - {"typing", "stackproof", "stackproof_gateway", "__file__"}


def test_every_python_snippet_is_typed_right(tmp_path):
    files = {}
    for number, block in enumerate(PYTHON):
        path = tmp_path / f"snippet_{number}.py"
        path.write_text(with_types(textwrap.dedent(block.text)))
        files[path.name] = block
    options = ["--no-incremental", "--check-untyped-defs", "--ignore-missing-imports"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file=", *options, "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={"MYPYPATH": ":".join(map(str, SOURCES)), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    said = re.sub(r"snippet_\d+\.py", lambda one: str(files[one[0]]), done.stdout)
    wrong = [line for line in said.splitlines() if ": error:" in line and "/src/" not in line]
    assert wrong == [], said


@pytest.mark.parametrize("block", YAML)
def test_every_yaml_snippet_is_taken(block, tmp_path):
    value = yaml.safe_load(block.text)
    if "services" in value:
        path = tmp_path / "compose.yaml"
        path.write_text(block.text)
        load_stack_file([path], {})
    elif is_stack_config(block):
        (tmp_path / "config").mkdir()
        (tmp_path / "compose.yaml").write_text("services: {}\n")
        base = {"stack": "shop", "compose_files": ["../compose.yaml"]}
        name = value.get("stack", "shop")
        (tmp_path / "config" / f"{name}.yaml").write_text(yaml.safe_dump({**base, **value}))
        load_settings(tmp_path, stack=name, environment={}, overrides={})


def is_stack_config(block):
    """Whether a block is a part of config/<stack>.yaml, rather than a file of another tool."""
    first = block.text.splitlines()[0]
    return "config/" in first or block.text.startswith("stack:")
