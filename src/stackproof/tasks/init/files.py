"""The files of a proposal, each with its contents."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackproof.settings import Settings
from stackproof.settings.env_file import example_names
from stackproof.settings.layers import PORT_PREFIX, variable_part
from stackproof.settings.loading import ALWAYS_VISIBLE
from stackproof.stack_file.regular_files import read_text_file
from stackproof.tasks.init.changes import MARK, Proposed, marked
from stackproof.tasks.init.env_files import example_of, is_ignored, named_env_files
from stackproof.tasks.init.proposal import Proposal
from stackproof.tasks.init.smoke import smoke_test
from stackproof.tasks.init.texts import (
    CI_FILE,
    example_text,
    ignore_text,
    nox_text,
    tasks_text,
    workflow_text,
)
from stackproof.tasks.init.yaml_writing import as_yaml

OTHER_TASKS = "stack_tasks"
"""Name of the module of tasks where `tasks.py` is something else, such as Celery's."""

_INVOKE = re.compile(r"^\s*(?:from|import)\s+invoke\b|\bstackproof\.tasks\b", re.MULTILINE)

PLUGINS: Mapping[str, str] = {
    r"--cov\b": "pytest-cov",
    r"(?:^|[\s\"'])-n\b|--dist\b": "pytest-xdist",
    r"--asyncio-mode\b": "pytest-asyncio",
    r"--timeout\b": "pytest-timeout",
    r"--randomly\b|-p\s*randomly": "pytest-randomly",
}
"""Options in a project's own configuration of pytest, with the plugins that know them."""

TESTS_ELSEWHERE = "integration_tests"
"""Where the tests go if `tests` has a conftest.py, which may import the application."""


def proposed_files(proposal: Proposal) -> list[Proposed]:
    """All files that the project shall have, in the order in which a person reads them."""
    return list(_files(proposal))


def _files(proposal: Proposal) -> Iterator[Proposed]:
    settings = proposal.settings
    root, stack = settings.root, settings.stack
    folder = tests_folder(proposal)
    overlay = f"{stack}.compose.yaml" if proposal.overlay else ""
    yield _own(f"config/{stack}.yaml", config_text(settings, proposal, overlay, folder))
    if overlay:
        yield _own(f"config/{overlay}", _overlay_text(proposal))
    if proposal.plan is not None:
        yield _own(f"{folder}/test_smoke.py", smoke_test(proposal.plan, proposal.trees))
    yield from _entries(proposal)
    yield _own(".env.integration.example", _example(proposal))
    ignored = _text(root / ".gitignore")
    yield Proposed(".gitignore", ignore_text(ignored), is_addition=True)
    if not (root / ".gitlab-ci.yml").exists() and not is_below_repository(root):
        yield _own(CI_FILE, _workflow(proposal))


def is_below_repository(root: Path) -> bool:
    """Whether a folder lies inside a git repository, where no workflow is looked for."""
    return not (root / ".git").exists() and any(
        (folder / ".git").exists() for folder in root.absolute().parents
    )


def _own(name: str, text: str) -> Proposed:
    return Proposed(name, marked(text))


def config_text(settings: Settings, proposal: Proposal, overlay: str, folder: str) -> str:
    """`config/<stack>.yaml`: what differs from the defaults, and nothing else.

    Args:
        settings: Those of the copy.
        proposal: Names the files.
        overlay: The second Compose file beside the config; empty for none.
        folder: Where the tests are.
    """
    config = settings.config_file.parent
    files = [Path(os.path.relpath(path, config)).as_posix() for path in settings.compose_files]
    value: dict[str, Any] = {
        "stack": settings.stack,
        "compose_files": [*files, *filter(None, [overlay])],
        "engine": settings.engine,
        "world": settings.world if settings.engine == "process" else "",
        "services": {"exclude": settings.excluded} if settings.excluded else {},
        "variables": {
            key: text for key, text in settings.variables.items() if key not in ALWAYS_VISIBLE
        },
        "ports": settings.ports,
        "database": settings.database and vars(settings.database),
        "environment": settings.environment,
        "gateway": settings.gateway_service and {"service": settings.gateway_service},
        "migrate": [_command(one) for one in settings.migrate],
        "seed": [_command(one) for one in settings.seed],
        "one_shots": settings.one_shots,
        "external": settings.external,
        "suites": {"integration": {"paths": [folder]}} if folder != "tests/integration" else {},
    }
    defaults = {"engine": Settings.engine, "world": Settings.world}
    shown = {key: one for key, one in value.items() if one and defaults.get(key) != one}
    for verb in ("migrate", "seed"):
        if verb in shown:
            (shown[verb],) = shown[verb]
    return f"# How the disposable copy differs from {proposal.files}.\n{as_yaml(shown)}"


def _command(command: Any) -> dict[str, Any]:
    return {"service": command.service, "command": list(command.command)}


def _overlay_text(proposal: Proposal) -> str:
    return (
        f"# Laid over {proposal.files} in the disposable copy alone.\n{as_yaml(proposal.overlay)}"
    )


def tests_folder(proposal: Proposal) -> str:
    """Where the first test goes: not below a `conftest.py` that may need the application."""
    root, stack = proposal.settings.root, proposal.settings.stack
    several = bool(proposal.others) or proposal.settings.compose_files[0].parent != root
    plain = f"tests/{stack}" if several else "tests/integration"
    elsewhere = f"{TESTS_ELSEWHERE}/{stack}" if several else TESTS_ELSEWHERE
    for folder in (plain, elsewhere):
        if _text(root / folder / "test_smoke.py").startswith(MARK):
            return folder
    is_taken = (root / "tests" / "conftest.py").exists() or any((root / plain).glob("*.py"))
    return elsewhere if is_taken else plain


def tasks_module(root: Path) -> str:
    """The module that `invoke` takes: `tasks`, unless that is something else.

    Args:
        root: The project's folder.
    """
    text = _text(root / "tasks.py")
    return OTHER_TASKS if text and not _INVOKE.search(text) else "tasks"


def _entries(proposal: Proposal) -> Iterator[Proposed]:
    """What `invoke` and `nox` read."""
    root = proposal.settings.root
    yield _own(f"{tasks_module(root)}.py", tasks_text())
    several = sorted({proposal.settings.stack, *proposal.others})
    yield _own("noxfile.py", nox_text([*_packages(proposal), *_plugins(root)], several))


def _packages(proposal: Proposal) -> list[str]:
    """What the environments of the tests need of stackproof."""
    settings = proposal.settings
    is_served = settings.engine == "process" and any(tree.is_native for tree in proposal.trees)
    extras = [
        *(["embedded"] if is_served else []),
        *(["gateway"] if settings.gateway_service else []),
    ]
    return [f"stackproof[{','.join(extras)}]" if extras else "stackproof"]


def _plugins(root: Path) -> list[str]:
    """Plugins of pytest that the project's own configuration has options of."""
    names = ("pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini")
    found = "\n".join(
        line
        for name in names
        for line in re.findall(r"addopts\s*=\s*(\[[^\]]*\]|[^\n]*(?:\n[ \t]+[^\n]*)*)",
                               _text(root / name))
    )  # fmt: skip
    return [plugin for option, plugin in PLUGINS.items() if re.search(option, found)]


def _example(proposal: Proposal) -> str:
    settings = proposal.settings
    ports: dict[str, object] = {}
    for service, port in settings.ports.items():
        if isinstance(port, int):
            ports[f"{PORT_PREFIX}{variable_part(service)}"] = port
    hidden = {*ALWAYS_VISIBLE, "COMPOSE_PROJECT_NAME"}
    names = {name for name in proposal.stack_file.variables if name not in hidden}
    if settings.gateway_service:
        names.add("GATEWAY_LLM")
    text = _text(settings.root / ".env.integration.example")
    if text.startswith(MARK):  # it may be for several stacks
        known = example_names(settings.root) or frozenset()
        names |= {name for name in known if not name.startswith("STACKPROOF_")}
        for line in text.splitlines():
            name, equals, value = line.removeprefix("# ").partition("=")
            if equals and name.startswith(PORT_PREFIX):
                ports.setdefault(name, value)
    return example_text(ports, names)


def _workflow(proposal: Proposal) -> str:
    settings = proposal.settings
    root, files = settings.root, settings.compose_files
    copied = {
        os.path.relpath(path, root): os.path.relpath(example, root)
        for path in named_env_files(files)
        if (example := example_of(path)) and is_ignored(root, path)
    }
    hashed = [os.path.relpath(files[0], root), "**/requirements*.txt", "**/*.lock"]
    return workflow_text(_packages(proposal), copied, hashed)


def _text(path: Path) -> str:
    try:
        return read_text_file(path, errors="replace")
    except OSError:
        return ""
