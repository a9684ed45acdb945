"""The shape of the library: imports point one way, and heavy things stay where they belong."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "stackproof"
GATEWAY = ROOT / "packages" / "gateway" / "src"
REDACTION = ROOT / "packages" / "redaction" / "src"

LAYERS = [
    ["errors"],
    ["waiting", "stack_file", "gateway"],
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
    "docker": {"engines.compose"},
    "invoke": {"tasks"},
    "nox": {"sessions"},
    "pytest": {"pytest_plugin"},
    "starlette": set(),
    "uvicorn": set(),
    "watchfiles": {"lifecycle.watching"},
    "yaml": {"stack_file.reading"},
}


ALONE = {
    GATEWAY: {"stackproof_gateway", "stackproof_redaction", "anyio", "httpx", "snowballstemmer",
              "starlette", "uvicorn", "yaml"},
    REDACTION: {"stackproof_redaction"},
}  # fmt: skip
"""What the distributions beside stackproof may import, beside the standard library."""


TALKING = {"tasks", "sessions", "pytest_plugin", "gateway"}
"""They talk to people; `gateway` starts a program."""


@cache
def parsed(path):
    return ast.parse(path.read_text())


def modules(source=SOURCE):
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path, *, for_types=True):
    tree = parsed(path) if for_types else WithoutTypes().visit(ast.parse(path.read_text()))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class WithoutTypes(ast.NodeTransformer):
    """Takes away what only type checkers read."""

    def visit_If(self, node):
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def rank(module):
    top = module.split(".")[0]
    for number, layer in enumerate(LAYERS):
        if top in layer:
            return number
    return None


def cases(*sources):
    found = [module for source in sources for module in modules(source)]
    return [pytest.param(name, path, id=name or "stackproof") for name, path in found]


ALL = cases(SOURCE)
BECOMES_A_PROGRAM = {
    "engines.process.fork_server.beginning", "engines.process.fork_server.examining",
}  # fmt: skip
"""Run in processes that are a service's program, or try what that imports: theirs is all of it."""

EVERYWHERE = cases(SOURCE, GATEWAY, REDACTION)
EVERY_MODULE = [case.values for case in EVERYWHERE]


@pytest.mark.parametrize(("name", "path"), ALL)
def test_imports_point_downwards(name, path):
    if name == "":
        return
    assert rank(name) is not None, f"{name} has no place in LAYERS; give it one"
    for imported in imports(path):
        if imported.startswith("stackproof."):
            target = imported.removeprefix("stackproof.")
            if target.split(".")[0] != name.split(".")[0]:
                assert rank(target) < rank(name), f"{name} must not import {target}"


@pytest.mark.parametrize(("name", "path"), cases(*ALONE))
def test_the_gateway_and_the_redactor_stand_alone(name, path):
    allowed = next(names for source, names in ALONE.items() if path.is_relative_to(source))
    tops = {imported.split(".")[0] for imported in imports(path)}
    assert tops - allowed - sys.stdlib_module_names == set()


@pytest.mark.parametrize(("name", "path"), ALL)
def test_only_one_module_loads_the_gateway_which_may_not_be_installed(name, path):
    loaded = {imported.split(".")[0] for imported in imports(path, for_types=False)}
    assert name == "gateway" or "stackproof_gateway" not in loaded


@pytest.mark.parametrize(("name", "path"), ALL)
def test_heavy_libraries_are_imported_only_where_they_belong(name, path):
    for imported in imports(path):
        allowed = HEAVY.get(imported.split(".")[0])
        if allowed is not None:
            assert any(name == place or name.startswith(place + ".") for place in allowed), (
                f"{name} must not import {imported}"
            )


@pytest.mark.parametrize(("name", "path"), EVERYWHERE)
def test_only_tasks_talk_and_nothing_exits_or_changes_the_process(name, path):
    if name.split(".")[0] in TALKING or name.endswith("__main__") or name in BECOMES_A_PROGRAM:
        return
    forbidden = {"print", "input", "breakpoint"}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            text = ast.unparse(node.func)
            assert text not in forbidden, f"{name}:{node.lineno} calls {text}"
            assert text not in {"os.chdir", "os.putenv", "os.environ.update", "sys.exit"}
        if isinstance(node, ast.Assign | ast.Delete):
            for target in node.targets:
                assert not ast.unparse(target).startswith("os.environ"), f"{name}:{node.lineno}"


def test_nothing_in_the_library_knows_a_reference_system():
    systems = [path.name for path in (ROOT / "systems").iterdir() if path.is_dir()]
    assert systems
    for _, path in modules():
        for system in systems:
            assert f"systems/{system}" not in path.read_text()


def test_no_module_has_a_name_that_says_nothing():
    empty = {"utils", "util", "core", "helpers", "common", "manager", "misc"}
    assert [name for name, *_ in EVERY_MODULE if empty & set(name.split("."))] == []


def test_no_module_has_outgrown_its_room():
    long = {name: len(path.read_text().splitlines()) for name, path in EVERY_MODULE}
    assert {name: lines for name, lines in long.items() if lines > 400} == {}
    assert len([name for name, lines in long.items() if lines > 300]) <= 5


def test_the_root_of_the_package_stays_small():
    rooms = {name.split(".")[0] for name, _ in modules()} - {""}
    assert len(rooms) <= 19
    assert len(LAYERS) <= 13


@pytest.mark.parametrize(("name", "path"), EVERYWHERE)
def test_no_function_is_longer_than_a_screen(name, path):
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        node.name
        for node in ast.walk(parsed(path))
        if isinstance(node, functions) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == [], name


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
    assert loaded_by("stackproof.gateway, stackproof_gateway.__main__") & {"httpx", "rich"} == set()


def test_an_unchanged_up_loads_nothing_that_only_a_start_needs():
    needed_by_a_start = {
        "docker", "httpx", "stackproof.engines.compose", "stackproof.engines.attached.engine",
        "stackproof.engines.process.preparation", "stackproof.engines.process.images.postgres",
        "stackproof.engines.process.fork_server.keeping", "stackproof.artifacts.forensics",
        "stackproof.lifecycle.watching.loop",
    }  # fmt: skip
    assert loaded_by("stackproof.lifecycle") & needed_by_a_start == set()
