"""The files that are the same in every project but for a few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

IGNORED = (".artifacts/", ".nox/", ".env.integration")
"""What git shall not see."""

CI_FILE = ".github/workflows/integration.yml"


def tasks_text() -> str:
    """`tasks.py`: what `invoke` offers."""
    return '''"""The tasks of stackproof; `invoke --list` shows them."""

from stackproof.tasks import namespace

ns = namespace()
'''


def nox_text(packages: Sequence[str], suite_stacks: Sequence[str]) -> str:
    """`noxfile.py`: what `nox` runs.

    Args:
        packages: What the sessions install.
        suite_stacks: Stacks that have integration tests, where they are several.
    """
    arguments = ["root=Path(__file__).parent"]
    if tuple(packages) != ("stackproof",):
        arguments.append(f"packages={_tuple(packages)}")
    if len(suite_stacks) > 1:
        arguments.append(f'stacks={{"integration": {_tuple(suite_stacks)}}}')
    return f'''"""The sessions of stackproof; `nox -s integration` tests a new copy of the stack."""

from pathlib import Path

import nox
from stackproof.sessions import Project, define_sessions

nox.options.sessions = ["integration"]

define_sessions(Project({", ".join(arguments)}))
'''


def _tuple(words: Sequence[str]) -> str:
    inside = ", ".join(f'"{word}"' for word in words)
    return f"({inside},)" if len(words) == 1 else f"({inside})"


def example_text(ports: Mapping[str, object], variables: Iterable[str]) -> str:
    """`.env.integration.example`: what a person may change on one machine.

    Args:
        ports: Variables of the ports, with their values.
        variables: Variables of the stack file.
    """
    lines = [
        "# Settings of one machine, stronger than config/<stack>.yaml. `.env.integration` is made",
        "# from this file on first use and never committed; change it there.",
        "# `invoke config` shows every setting with its source.",
        "",
        "# process needs no Docker, compose uses it.",
        "# STACKPROOF_ENGINE=process",
    ]
    lines += [
        "",
        "# Ports of this machine.",
        *(f"# {name}={ports[name]}" for name in sorted(ports)),
    ]
    named = sorted(set(variables))
    if named:
        lines += ["", "# Variables of the stack file.", *(f"# {name}=" for name in named)]
    return "\n".join(lines) + "\n"


def ignore_text(before: str, *, more: Sequence[str] = IGNORED) -> str:
    """`.gitignore` with the lines that it lacks.

    Args:
        before: The file as it is; empty where there is none.
        more: What it shall have.
    """
    known = {line.strip().strip("/") for line in before.splitlines()}
    missing = [line for line in more if line.strip("/") not in known]
    if not missing:
        return before
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    return before + gap + "# stackproof\n" + "".join(f"{line}\n" for line in missing)


def workflow_text(packages: Sequence[str], copied: Mapping[str, str], hashed: Sequence[str]) -> str:
    """The workflow of GitHub Actions that runs the tests.

    Args:
        packages: What is installed before `nox`.
        copied: Files that are made from their examples: the file to its example.
        hashed: Files that decide about what the cache may hold.
    """
    steps = [f"      - run: cp -n {example} {name}\n" for name, example in copied.items()]
    words = " ".join(f'"{package}"' for package in packages)
    files = ", ".join(f"'{name}'" for name in hashed)
    return f"""name: integration
on: [push, pull_request]
jobs:
  integration:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - uses: actions/cache@v4
        with:
          path: ~/.cache/stackproof
          key: stackproof-${{{{ hashFiles({files}) }}}}
      # Lets services have networks and file systems of their own, without Docker.
      - run: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 || true
{"".join(steps)}      - run: pip install {words}
      - run: nox -s integration
      - uses: actions/upload-artifact@v4
        if: failure()
        with: {{name: artifacts, path: .artifacts, include-hidden-files: true}}
"""
