"""`stackproof init`: shows what it has found and would write, asks, and writes."""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from stackproof.engines.process.engine import ProcessEngine
from stackproof.errors import ConfigError, StackproofError
from stackproof.settings import default_cache
from stackproof.tasks.display import say, say_marked, show_table
from stackproof.tasks.init.changes import Change, Proposed, change_of, write
from stackproof.tasks.init.compose_files import compose_files, shown_files
from stackproof.tasks.init.env_files import missing_env_files
from stackproof.tasks.init.files import proposed_files, tasks_module
from stackproof.tasks.init.proposal import Machine, Proposal, propose
from stackproof.tasks.init.verdicts import Verdict
from stackproof.tasks.shell import names

_OF_SERVICE = re.compile(r"services\.([^.\[\]]+)")

YES = frozenset({"", "y", "yes"})

NOTHING_WRITTEN = "nothing was written; `stackproof init --yes` writes it"


def run(options: argparse.Namespace, root: Path, environment: Mapping[str, str]) -> None:
    """Do what the options ask for.

    Args:
        options: `file`, `stack`, `without` and `yes`.
        root: The project's folder.
        environment: The process environment.

    Raises:
        StackproofError: If the stack can't be read, or no engine runs all of it.
    """
    files = _chosen(root, compose_files(root, options.file))
    if not _made_env_files(root, files, yes=options.yes):
        return
    machine = _machine(environment)
    try:
        proposal = propose(root, files, machine, options.stack, names(options.without))
    except ConfigError as error:
        _add_way_out(error)
        raise
    _show_verdicts(proposal)
    if proposal.plan is None:
        raise _nowhere(proposal)
    for note in proposal.notes:
        say(f"note: {note}")
    changes = [change_of(root, file) for file in proposed_files(proposal)]
    if _written(root, changes, yes=options.yes):
        _show_next(proposal, changes)


def _add_way_out(error: ConfigError) -> None:
    """Say of services that can't be read how the copy does without them."""
    found = [match[1] for one in (error, *error.others) if (match := _OF_SERVICE.match(one.key))]
    if found:
        services = ",".join(dict.fromkeys(found))
        way = f"a service can be left out: stackproof init --without {services}"
        error.remedy = f"{error.remedy}\n{way}" if error.remedy else way


def _machine(environment: Mapping[str, str]) -> Machine:
    engine = ProcessEngine(environment, default_cache(environment))
    return Machine(environment, engine.no_world, _is_free)


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as tried:
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _chosen(root: Path, found: Sequence[tuple[Path, ...]]) -> tuple[Path, ...]:
    """The stack that a person means, of those that there are."""
    if len(found) == 1:
        return found[0]
    shown = [shown_files(root, files) for files in found]
    if not _is_asked():
        raise ConfigError(
            f"{len(found)} stacks: choose one",
            observed="\n".join(shown),
            remedy=f"stackproof init --file {os.path.relpath(found[0][0], root)}",
        )
    say("several stacks:")
    for number, name in enumerate(shown, 1):
        say(f"  {number}  {name}")
    while True:
        answer = input(f"which one? [1-{len(shown)}] ").strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(shown):
            return found[int(answer) - 1]


def _is_asked() -> bool:
    """Whether somebody is there to answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def _made_env_files(root: Path, files: Sequence[Path], *, yes: bool) -> bool:
    """Make the env files that services need from their examples; whether all are there now."""
    changes = []
    for path, example in missing_env_files(files).items():
        name = os.path.relpath(path, root)
        say(f"note: {name} is not there; {os.path.relpath(example, root)} stands for it")
        changes.append(change_of(root, Proposed(name, example.read_text(encoding="utf-8"))))
    return not changes or _written(root, changes, yes=yes)


def _show_verdicts(proposal: Proposal) -> None:
    say(f"{proposal.settings.stack}: {proposal.files}")
    rows = [
        (one.service, *(_word(one, engine) for engine in ("process", "compose")), _when(one))
        for one in proposal.verdicts
    ]
    show_table(rows, head=("SERVICE", "WITHOUT DOCKER", "WITH DOCKER", ""))
    for line in _refusals(proposal.verdicts):
        say(line.replace(f"{proposal.settings.root}/", ""))
    left_out = proposal.settings.excluded
    if left_out:
        say(f"note: the copy leaves out {', '.join(left_out)} (`services.exclude` in its config)")
    if proposal.settings.engine == "compose" and proposal.plan is not None:
        say("note: the copy runs in containers (engine: compose), since not every service runs "
            "without Docker")  # fmt: skip


def _word(verdict: Verdict, engine: str) -> str:
    return "yes" if verdict.runs_on(engine) else "no"


def _when(verdict: Verdict) -> str:
    return f"profile {', '.join(verdict.profiles)}" if verdict.profiles else ""


def _refusals(verdicts: Sequence[Verdict]) -> Iterator[str]:
    for engine, where in (("process", "without Docker"), ("compose", "with Docker")):
        for verdict in verdicts:
            for line in verdict.refusals[engine]:
                yield f"{verdict.service} does not run {where}: {line}"


def _nowhere(proposal: Proposal) -> StackproofError:
    return StackproofError(
        f"no engine runs every service of {proposal.settings.stack}",
        observed="nothing was written",
        remedy="correct what stands above, or leave such a service out: "
        "stackproof init --without NAME",
    )


def _written(root: Path, changes: Sequence[Change], *, yes: bool) -> bool:
    """Show what changes, ask, and write; whether all is as proposed, but for files of the user."""
    for change in changes:
        if change.state != "same":
            _show(change)
    wanted = [change for change in changes if change.is_written]
    if not wanted:
        say("nothing to write: all files are there")
        return True
    if not (yes or _asked(len(wanted))):
        say(NOTHING_WRITTEN)
        return False
    for change in wanted:
        write(root, change)
        say_marked("wrote", change.file.name)
    return True


def _show(change: Change) -> None:
    name = change.file.name
    if change.state == "yours":
        say(f"{name} is yours and stays as it is; this is how it differs:")
    for line in change.diff():
        say(line)
    say("")


def _asked(count: int) -> bool:
    if not _is_asked():
        return False
    files = "this file" if count == 1 else f"these {count} files"
    return input(f"write {files}? [Y/n] ").strip().lower() in YES


def _show_next(proposal: Proposal, changes: Sequence[Change]) -> None:
    settings = proposal.settings
    for change in changes:
        if change.state == "yours" and change.file.name in _ADDITIONS:
            say(f"add to {change.file.name}: {_ADDITIONS[change.file.name]}")
    if settings.gateway_service:
        say('next: pip install "stackproof[gateway]"')
    module = tasks_module(settings.root)
    chosen = f" --stack {settings.stack}" if proposal.others else ""
    verbs = ["up", *(["migrate"] if settings.migrate else []), *(["seed"] if settings.seed else [])]
    invoke = "invoke" if module == "tasks" else f"invoke -c {module}"
    say(f"next: {invoke} {' '.join(f'{verb}{chosen}' for verb in verbs)}")
    say(f"      nox -s integration{f' --{chosen}' if chosen else ''}")


_ADDITIONS = {
    "tasks.py": "from stackproof.tasks import namespace; ns = namespace()  (your own tasks: "
    "ns.add_task(…))",
    "noxfile.py": "from stackproof.sessions import Project, define_sessions; "
    'define_sessions(Project(root=Path(__file__).parent, packages=("stackproof[embedded]",)))',
}
"""What a person adds to a file of their own."""
