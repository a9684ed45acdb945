"""Guesses how the database gets its schema and its rows, from the tools in a service's folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackproof.settings import Command
from stackproof.tasks.init.source_trees import SourceTree, node_manifest

Argv = tuple[str, ...]

SEED_MODULES = ("seed", "seeds", "seed_db", "seed_data", "initial_data", "populate_db", "fixtures")
"""Names of Python modules that fill a database."""

SEED_SCRIPTS = ("seed", "db:seed", "db:seed:all", "seed:run")
"""Scripts of a `package.json` that do."""

MIGRATE_SCRIPTS = ("db:migrate", "migrate", "migrate:deploy", "migrate:latest", "migration:run")


@dataclass(frozen=True)
class Guess:
    """What was found.

    Attributes:
        migrate: The command that brings the schema up to date; none where nothing was found.
        seed: The command that brings rows in.
        notes: What a person should know of them.
    """

    migrate: tuple[Command, ...] = ()
    seed: tuple[Command, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tool:
    """A tool that changes the schema of a database.

    Attributes:
        name: What people call it.
        migrate: Its command for a folder; None where the folder does not use it.
        runs: What a command has that runs it already.
    """

    name: str
    migrate: Callable[[SourceTree], Argv | None]
    runs: re.Pattern[str]


def _alembic(tree: SourceTree) -> Argv | None:
    found = tree.find("alembic.ini")
    if found is None or found[0].startswith("migrations/"):
        return None
    place = () if found[0] == "alembic.ini" else ("-c", found[0])
    return ("alembic", *place, "upgrade", "head")


def _django(tree: SourceTree) -> Argv | None:
    found = tree.find("manage.py")
    return ("python", found[0], "migrate", "--noinput") if found else None


def _flask(tree: SourceTree) -> Argv | None:
    if "flask-migrate" in tree.packages and tree.find("migrations/alembic.ini"):
        return ("flask", "db", "upgrade")
    return None


def _prisma(tree: SourceTree) -> Argv | None:
    found = tree.find("prisma/schema.prisma")
    if found is None:
        return None
    if (found[1].parent / "migrations").is_dir():
        return ("npx", "prisma", "migrate", "deploy")
    return ("npx", "prisma", "db", "push", "--skip-generate")


def _knex(tree: SourceTree) -> Argv | None:
    is_used = tree.find("knexfile.js") or tree.find("knexfile.ts")
    return ("npx", "knex", "migrate:latest") if is_used else None


def _sequelize(tree: SourceTree) -> Argv | None:
    return ("npx", "sequelize-cli", "db:migrate") if "sequelize-cli" in tree.packages else None


def _drizzle(tree: SourceTree) -> Argv | None:
    return ("npx", "drizzle-kit", "migrate") if "drizzle-kit" in tree.packages else None


def _rails(tree: SourceTree) -> Argv | None:
    is_used = tree.find("bin/rails") and tree.find("config/application.rb")
    return ("bin/rails", "db:migrate") if is_used else None


def _module(tree: SourceTree) -> Argv | None:
    return _python(tree, ("migrate",))


def _npm_migrate(tree: SourceTree) -> Argv | None:
    return _npm(tree, MIGRATE_SCRIPTS)


TOOLS = (
    Tool("alembic", _alembic, re.compile(r"\balembic\b.*\bupgrade\b")),
    Tool("Django", _django, re.compile(r"manage\.py\W+migrate\b")),
    Tool("Flask-Migrate", _flask, re.compile(r"\bflask\W+db\W+upgrade\b")),
    Tool("Prisma", _prisma, re.compile(r"\bprisma\W+(?:migrate\W+deploy|db\W+push)\b")),
    Tool("Knex", _knex, re.compile(r"\bknex\W+migrate:latest\b")),
    Tool("Sequelize", _sequelize, re.compile(r"\bdb:migrate\b")),
    Tool("Drizzle", _drizzle, re.compile(r"\bdrizzle-kit\W+(?:migrate|push)\b")),
    Tool("Rails", _rails, re.compile(r"\bdb:(?:migrate|prepare)\b")),
    Tool("npm", _npm_migrate, re.compile(r"\brun\W+(?:db:)?migrate")),
    Tool("migrate.py", _module, re.compile(r"\bpython3?\b.*\bmigrate\b")),
)


def guess_commands(trees: Sequence[SourceTree]) -> Guess:
    """The commands that migrate and seed a stack's database.

    Args:
        trees: Its services that are on; of several with the same folder, one with a published port
            goes before the others.
    """
    built = [tree for tree in trees if tree.folder is not None]
    ordered = sorted(built, key=lambda tree: not tree.service.ports)
    notes: list[str] = []
    migrate: tuple[Command, ...] = ()
    for tree, tool, argv in _found(ordered):
        already = [other.name for other in built if tool.runs.search(other.starts)]
        if already:
            notes.append(f"{already[0]} runs the migrations of {tool.name} when it starts")
        else:
            migrate = (Command(tree.name, argv),)
        return Guess(migrate, _seed([tree], built), tuple(notes))
    return Guess((), _seed(ordered, built))


def _found(trees: Sequence[SourceTree]) -> Iterator[tuple[SourceTree, Tool, Argv]]:
    for tool in TOOLS:
        for tree in trees:
            argv = tool.migrate(tree)
            if argv is not None:
                yield tree, tool, argv


def _seed(trees: Sequence[SourceTree], all_trees: Sequence[SourceTree]) -> tuple[Command, ...]:
    """The first command that seeds, unless a service runs it when it starts."""
    started = "\n".join(tree.starts for tree in all_trees)
    for tree in trees:
        for guess in (_django_seed, _python_seed, _node_seed):
            argv = guess(tree)
            if argv:
                what = re.escape(argv[-1]).replace(r"\.", r"[./]")
                is_run = re.search(rf"(?:python3?|npm|npx|manage\.py)\b.*\b{what}\b", started)
                return () if is_run else (Command(tree.name, argv),)
    return ()


def _django_seed(tree: SourceTree) -> Argv | None:
    found = tree.find("manage.py")
    if found is None:
        return None
    for _, path in tree.all("*/management/commands/*.py", "*/*/management/commands/*.py"):
        if path.stem in SEED_MODULES:
            return ("python", found[0], path.stem)
    fixtures = [path.stem for _, path in tree.all("*/fixtures/*.json", "*/*/fixtures/*.json")]
    return ("python", found[0], "loaddata", *dict.fromkeys(fixtures)) if fixtures else None


def _python_seed(tree: SourceTree) -> Argv | None:
    return _python(tree, SEED_MODULES)


def _python(tree: SourceTree, names: Sequence[str]) -> Argv | None:
    """The command that runs the first module of these names that is not a test's."""
    for name in names:
        for seen, _ in tree.all(f"{name}.py", f"*/{name}.py", f"src/*/{name}.py"):
            parts = Path(seen).with_suffix("").parts
            if parts[0] in {"tests", "test"}:
                continue
            if parts[0] == "src" and len(parts) > len(("src", "module")):  # it is installed
                parts = parts[1:]
            if all(part.isidentifier() for part in parts):
                return ("python", "-m", ".".join(parts))
            return ("python", seen)
    return None


def _node_seed(tree: SourceTree) -> Argv | None:
    manifest = tree.find("package.json")
    if manifest is None:
        return None
    if "seed" in (node_manifest(manifest[1]).get("prisma") or {}):
        return ("npx", "prisma", "db", "seed")
    return _npm(tree, SEED_SCRIPTS)


def _npm(tree: SourceTree, names: Sequence[str]) -> Argv | None:
    manifest = tree.find("package.json")
    scripts = node_manifest(manifest[1]).get("scripts") if manifest else None
    known = scripts if isinstance(scripts, dict) else {}
    return next((("npm", "run", name) for name in names if name in known), None)
