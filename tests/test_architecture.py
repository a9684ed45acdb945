"""The shape of the library: imports point one way, and heavy things stay where they belong."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "stackproof"

LAYERS = [
    ["errors", "redaction"],
    ["waiting", "stack_file"],
    ["settings", "readiness"],
    ["plan", "reaper"],
    ["engines"],
    ["stack"],
    ["artifacts"],
    ["lifecycle"],
    ["isolation", "oracle", "suites"],
    ["tasks"],
    ["sessions", "pytest_plugin"],
]
"""Each module may import from its own line's package and from the lines above it."""

HEAVY = {
    "docker": {"engines.compose", "plan.services.image_tag"},
    "dotenv": {"settings"},
    "invoke": {"tasks"},
    "nox": {"sessions"},
    "pytest": {"pytest_plugin"},
    "starlette": {"gateway"},
    "uvicorn": {"gateway"},
    "yaml": {"stack_file", "settings", "gateway"},
    "pydantic": {"settings"},
}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path):
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rank(module):
    top = module.split(".")[0]
    for number, layer in enumerate(LAYERS):
        if top in layer:
            return number
    return None


ALL = [pytest.param(name, path, id=name or "stackproof") for name, path in modules()]


@pytest.mark.parametrize(("name", "path"), ALL)
def test_imports_point_downwards(name, path):
    if name.split(".")[0] in {"", "gateway"}:
        return
    assert rank(name) is not None, f"{name} has no place in LAYERS; give it one"
    for imported in imports(path):
        if imported.startswith("stackproof."):
            target = imported.removeprefix("stackproof.")
            target_rank = rank(target)
            if target_rank is None:
                assert target.split(".")[0] == "gateway"
                assert name.split(".")[0] in {"pytest_plugin", "stack"}
            elif target.split(".")[0] != name.split(".")[0]:
                assert target_rank < rank(name), f"{name} must not import {target}"


@pytest.mark.parametrize(("name", "path"), ALL)
def test_the_gateway_stands_alone_but_for_the_redactor_which_does_so_too(name, path):
    alone = {"gateway": r"stackproof\b(?!\.gateway|\.redaction)",
             "redaction": r"stackproof\b(?!\.redaction)"}.get(name.split(".")[0])  # fmt: skip
    if alone is not None:
        others = [one for one in imports(path) if re.match(alone, one)]
        assert [one for one in others if one != "stackproof"] == []


@pytest.mark.parametrize(("name", "path"), ALL)
def test_the_redactor_needs_the_standard_library_alone(name, path):
    if name.split(".")[0] == "redaction":
        tops = {one.split(".")[0] for one in imports(path)} - {"stackproof"}
        assert tops <= sys.stdlib_module_names


@pytest.mark.parametrize(("name", "path"), ALL)
def test_heavy_libraries_are_imported_only_where_they_belong(name, path):
    for imported in imports(path):
        allowed = HEAVY.get(imported.split(".")[0])
        if allowed is not None:
            assert any(name == one or name.startswith(one + ".") for one in allowed), (
                f"{name} must not import {imported}"
            )


@pytest.mark.parametrize(("name", "path"), ALL)
def test_only_tasks_talk_and_nothing_exits_or_changes_the_process(name, path):
    if name.split(".")[0] in {"tasks", "sessions", "pytest_plugin"} or name.endswith("__main__"):
        return
    forbidden = {"print", "input", "breakpoint"}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            assert text not in forbidden, f"{name}:{node.lineno} calls {text}"
            assert text not in {"os.chdir", "os.putenv", "os.environ.update", "sys.exit"}
        if isinstance(node, ast.Assign | ast.Delete):
            for target in node.targets:
                assert not ast.unparse(target).startswith("os.environ"), f"{name}:{node.lineno}"


def test_nothing_in_the_library_knows_a_reference_system():
    systems = [path.name for path in (SOURCE.parent.parent / "systems").iterdir() if path.is_dir()]
    assert systems
    for _, path in modules():
        for system in systems:
            assert f"systems/{system}" not in path.read_text()


def test_no_module_has_a_name_that_says_nothing():
    empty = {"utils", "util", "core", "helpers", "common", "manager", "misc"}
    assert [name for name, _ in modules() if empty & set(name.split("."))] == []


def test_no_module_has_outgrown_its_room():
    long = {name: len(path.read_text().splitlines()) for name, path in modules()}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}


def loaded_by(module):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_listing_tasks_imports_nothing_heavy():
    heavy = {"pydantic", "httpx", "docker", "pytest", "psutil", "starlette", "uvicorn"}
    assert loaded_by("stackproof.tasks") & heavy == set()


def test_the_supervisor_loads_nothing_of_what_has_made_its_plan():
    loaded = loaded_by("stackproof.engines.process.supervisor")
    assert (
        loaded & {"yaml", "stackproof.plan", "stackproof.settings", "stackproof.stack_file"}
        == set()
    )


def test_the_gateway_starts_without_what_only_a_real_provider_needs():
    assert loaded_by("stackproof.gateway.__main__") & {"httpx", "rich"} == set()
