"""Puts together what a repository needs: settings of the copy, an overlay, files, notes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stackproof.plan.addressing.guard import foreign_targets
from stackproof.plan.model import Plan
from stackproof.plan.profiles import load_wanted, with_profiles, without_excluded
from stackproof.plan.services.drafts import with_shared_builds
from stackproof.settings import Settings, default_cache, stacks
from stackproof.settings.loading import ALWAYS_VISIBLE
from stackproof.stack.world_choice import choose_world
from stackproof.stack_file import leave_out, load_stack_file, select_services
from stackproof.stack_file.model import Service, StackFile
from stackproof.tasks.init.built_in import built_in_names
from stackproof.tasks.init.commands import guess_commands
from stackproof.tasks.init.compose_files import shown_files, stack_name
from stackproof.tasks.init.earlier import excluded_before, name_before, ports_of_configs
from stackproof.tasks.init.env_files import example_of, example_values
from stackproof.tasks.init.one_shots import guess_one_shots
from stackproof.tasks.init.ports import copy_ports
from stackproof.tasks.init.providers import provider_environment, provider_name, provider_service
from stackproof.tasks.init.renaming import Renaming, rename
from stackproof.tasks.init.required import made_notes, with_made_values
from stackproof.tasks.init.source_trees import SourceTree, source_trees
from stackproof.tasks.init.spare import spare_services
from stackproof.tasks.init.verdicts import ENGINES, Verdict, plan_once_decided, verdicts
from stackproof.tasks.init.workers import ready_lines
from stackproof.tasks.init.yaml_writing import as_yaml


@dataclass(frozen=True)
class Machine:
    """What is asked of this machine.

    Attributes:
        environment: The process environment.
        no_world: Says why services can't have a private world here; empty where they can.
        is_free: Whether nothing listens on a port.
    """

    environment: Mapping[str, str]
    no_world: Callable[[], str]
    is_free: Callable[[int], bool]


@dataclass(frozen=True)
class Proposal:
    """What `init` has found out about a stack, and how its copy differs.

    Attributes:
        settings: Those of the copy.
        stack_file: The stack file, without the overlay.
        overlay: What the copy needs beside it, as a Compose file; empty for nothing.
        verdicts: Where each service runs.
        trees: The services that are on, with their folders.
        plan: The plan of the copy; None where no engine runs all of it.
        notes: What a person should know.
        others: Stacks of the repository that have a config already.
    """

    settings: Settings
    stack_file: StackFile
    overlay: Mapping[str, Any]
    verdicts: tuple[Verdict, ...]
    trees: tuple[SourceTree, ...]
    plan: Plan | None = None
    notes: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    files: str = ""


@dataclass
class _Found:
    """What the steps find, one after the other."""

    notes: list[str] = field(default_factory=list)
    overlay: dict[str, dict[str, Any]] = field(default_factory=dict)

    def lay(self, service: str, **keys: Any) -> None:
        """Lay keys over a service."""
        for key, value in keys.items():
            below = self.overlay.setdefault(service, {})
            below[key] = {**below.get(key, {}), **value}


def propose(
    root: Path,
    files: tuple[Path, ...],
    machine: Machine,
    name: str = "",
    without: Sequence[str] = (),
) -> Proposal:
    """Find out how a stack's copy can run.

    Args:
        root: The project's folder.
        files: The Compose files of the stack.
        machine: What this machine allows.
        name: The stack's name; empty for that of its file or folder.
        without: Services that the copy leaves out; none named: those of an earlier config.

    Raises:
        ConfigError: If the stack file or a folder is wrong.
    """
    name = name or name_before(root, files[0])
    without = tuple(without) or excluded_before(root, name)
    settings, stack_file = _first_look(root, files, machine, name, without)
    active = select_services(stack_file, settings.profiles)
    services = [stack_file.services[one] for one in active]
    world = choose_world(
        replace(settings, engine="process"), stack_file, (), None, machine.no_world
    ).name
    worlds = {"process": world, "compose": "host"}
    found = verdicts(settings, stack_file, worlds)
    trees = source_trees(stack_file, with_shared_builds(stack_file, services))
    others = tuple(one for one in stacks(root) if one != settings.stack)
    proposal = Proposal(
        settings, stack_file, {}, found, tuple(trees), others=others, files=shown_files(root, files)
    )
    chosen = _engine(found, active)
    if chosen is None:
        return proposal
    engine, spare = chosen
    settings = replace(settings, engine=engine, excluded=(*without, *spare))
    needed = tuple(tree for tree in trees if tree.name not in spare)
    proposal = replace(
        proposal, settings=settings, stack_file=leave_out(stack_file, spare), trees=needed
    )
    return _for_engine(proposal, machine, world)


def _first_look(
    root: Path, files: tuple[Path, ...], machine: Machine, name: str, without: tuple[str, ...]
) -> tuple[Settings, StackFile]:
    """The stack file, and settings that say nothing but where it is and what is left out of it."""
    folder = files[0].parent
    visible = {
        key: machine.environment[key] for key in ALWAYS_VISIBLE if key in machine.environment
    }
    examples = example_values(folder, root)
    known = {"COMPOSE_PROJECT_NAME": stack_name(name, folder)}
    seen, made = with_made_values(files, {**visible, **examples, **known}, without)
    stack = stack_name(name or seen.name, folder)
    settings = Settings(
        root=root,
        stack=stack,
        config_file=root / "config" / f"{stack}.yaml",
        compose_files=files,
        project=f"{stack}-e2e",
        cache=default_cache(machine.environment),
        artifacts=root / ".artifacts",
        world="auto",
        excluded=without,
        variables={
            **visible,
            **{key: examples[key] for key in seen.variables if key in examples},
            **made,
        },
    )
    stack_file = load_wanted(settings)
    return with_profiles(settings, stack_file), stack_file


def _engine(
    found: Sequence[Verdict], active: Mapping[str, Service]
) -> tuple[str, tuple[str, ...]] | None:
    """The first engine that runs all services which a test may need, and what it leaves out."""
    for engine in ENGINES:
        refused = [
            one.service for one in found if one.service in active and not one.runs_on(engine)
        ]
        spare = spare_services(active, refused)
        if len(spare) == len(refused) < len(active):
            return engine, spare
    return None


def _for_engine(proposal: Proposal, machine: Machine, world: Any) -> Proposal:
    settings, found = proposal.settings, _Found()
    found.notes += made_notes(settings)
    services = [tree.service for tree in proposal.trees]

    def reload(more: Mapping[str, str]) -> StackFile:
        return load_wanted(replace(settings, variables={**settings.variables, **more}))

    example = example_of(settings.compose_files[0].parent / ".env")
    renaming = rename(proposal.stack_file, services, reload, [example] if example else [])
    settings = _with_database(settings, renaming, found)
    found.notes += built_in_names(proposal.trees, renaming)
    settings = _with_commands(settings, proposal.trees, found)
    settings = _with_provider(settings, proposal, found)
    for name, line in ready_lines(proposal.trees).items():
        found.lay(name, **{"x-stackproof": {"ready": line}})
    before, taken = ports_of_configs(settings, proposal.others)
    ports = copy_ports(services, before=before, taken=taken, is_free=machine.is_free)
    settings = replace(settings, ports=ports, one_shots=guess_one_shots(services))
    plan, undecided = _plan(settings, found.overlay, world)
    found.notes += _to_allow(settings, undecided)
    named = _excluded_hosts(plan, settings.excluded)
    settings, plan = replace(settings, external=named), replace(plan, external=named)
    found.notes += _outside(plan)
    overlay = {"services": found.overlay} if found.overlay else {}
    return replace(
        proposal, settings=settings, overlay=overlay, plan=plan, notes=tuple(found.notes)
    )


def _with_database(settings: Settings, renaming: Renaming, found: _Found) -> Settings:
    if renaming.note:
        found.notes.append(renaming.note)
    for service, environment in renaming.overlay.items():
        found.lay(service, environment=environment)
    return replace(
        settings,
        database=renaming.database,
        variables={**settings.variables, **renaming.variables},
        environment=renaming.environment,
    )


def _with_commands(settings: Settings, trees: Sequence[SourceTree], found: _Found) -> Settings:
    guess = guess_commands(trees)
    found.notes += guess.notes
    return replace(settings, migrate=guess.migrate, seed=guess.seed)


def _with_provider(settings: Settings, proposal: Proposal, found: _Found) -> Settings:
    name = provider_name(list(proposal.stack_file.services))
    led = provider_environment(proposal.trees, name)
    if not led:
        return settings
    found.notes.append(
        f"the SDK of a model provider is among the packages of {', '.join(led)}: the copy asks the "
        f"local stand-in {name}"
    )
    for service, environment in led.items():
        found.lay(service, environment=environment,
                  depends_on={name: {"condition": "service_healthy"}})  # fmt: skip
    found.overlay[name] = provider_service()
    return replace(settings, gateway_service=name)


def _to_allow(settings: Settings, mounts: Sequence[str]) -> list[str]:
    """What `up` refuses until somebody has allowed it."""
    return [
        f"decide: {mount} is of this machine, and programs that reach it reach what is not the "
        f"copy's; `mounts: {{{mount!r}: share}}` in config/{settings.stack}.yaml allows it"
        for mount in mounts
    ]


def _plan(
    settings: Settings, overlay: Mapping[str, Any], world: Any
) -> tuple[Plan, tuple[str, ...]]:
    """The plan of the copy, as it will be once the overlay is written."""
    files = settings.compose_files
    with tempfile.TemporaryDirectory(prefix="stackproof-init-") as folder:
        if overlay:
            written = Path(folder, f"{settings.stack}.compose.yaml")
            written.write_text(as_yaml({"services": overlay}), encoding="utf-8")
            files = (*files, written)
        stack_file = load_stack_file(
            files,
            settings.stack_variables,
            project_directory=files[0].parent,
            left_out=settings.excluded,
        )
        return plan_once_decided(settings, without_excluded(settings, stack_file), world)


def _excluded_hosts(plan: Plan, excluded: Sequence[str]) -> tuple[str, ...]:
    """Services that are left out and that others name: a name that leads nowhere is no danger."""
    hosts = {one.target.host for one in foreign_targets(plan) if one.is_outside}
    return tuple(name for name in excluded if name.lower() in hosts)


def _outside(plan: Plan) -> list[str]:
    """What `up` will refuse until somebody has decided."""
    findings = foreign_targets(plan, writes=bool(plan.migrate or plan.seed))
    outside = [one for one in findings if one.is_outside]
    lines = [
        f"decide: {one} is outside of the stack; `external: [{one.target.host}]` in "
        f"config/{plan.stack}.yaml allows it, `environment` leads it elsewhere"
        for one in outside
    ]
    lines += [
        f"decide: {one}; give it a name that ends in _e2e, under `environment` of "
        f"config/{plan.stack}.yaml"
        for one in findings
        if not one.is_outside
    ]
    return list(dict.fromkeys(lines))
