"""Gives the copy a database of its own: its name ends in `_e2e` everywhere the stack file has it.

A name that comes from a variable of the stack file is changed there. Other places are values of
environments: literal ones go into the stack config, those with `${…}` into the overlay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.plan.addressing.variables import environment_targets
from stackproof.plan.services.known_images import database_of, recognise
from stackproof.settings import Database
from stackproof.settings.model import SAFE_ENDINGS
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.reading.nodes import Node
from stackproof.stack_file.reading.yaml_text import read_yaml
from stackproof.stack_file.regular_files import read_text_file

Reload = Callable[[Mapping[str, str]], StackFile]
"""Reads the stack file again with further variables."""

_NAME = re.compile(
    r"(?:^|_)(?:PG)?(?:DB|DATABASE)(?:_?NAME)?$|(?:^|_)(?:POSTGRES|PG|SQL|MYSQL|MARIADB)_NAME$"
)
"""Variables whose value is the name of a database."""

_BARE = frozenset({"DB", "DATABASE"})
"""Those that often say which kind of server it is: `DATABASE=postgres`."""

_PASSWORD = re.compile(r"://[^:/@\s]*:([^@/\s]+)@")

_MADE_BY = {
    "mysql": ("MYSQL_DATABASE", "MARIADB_DATABASE"),
    "mariadb": ("MARIADB_DATABASE", "MYSQL_DATABASE"),
}
"""Variables that name the database which a server makes, by the last part of its image's name."""


@dataclass(frozen=True)
class Renaming:
    """How the database of the copy gets its name.

    Attributes:
        database: What the stack config says of it; None where it keeps its name.
        variables: Variables of the stack file.
        environment: Literal values of environments, by service.
        overlay: Values with `${…}`, by service.
        note: Why nothing is renamed; empty where it is, and where there is no database.
        before: Its name in the stack file; empty where it keeps it.
        hosts: The names that services reach its server by.
    """

    database: Database | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overlay: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: str = ""
    before: str = ""
    hosts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Named:
    """A database of the stack file: who makes it, by which variable, and its name."""

    service: Service
    variable: str
    name: str

    @property
    def hosts(self) -> frozenset[str]:
        service = self.service
        aliases = (alias for names in service.networks.values() for alias in names)
        own = (service.name, service.container_name or "", service.hostname or "")
        return frozenset(filter(None, (*own, *aliases)))


def rename(
    stack_file: StackFile, services: Sequence[Service], reload: Reload, public: Sequence[Path]
) -> Renaming:
    """Rename the database of a stack that has one.

    Args:
        stack_file: The stack file.
        services: Its services that are on.
        reload: Reads it again.
        public: Files that everybody may read; a password that stands in none of them is not
            written into another one.
    """
    named = [found for service in services if (found := _made_by(service))]
    if len(named) != 1:
        return Renaming(note=_several(named))
    (made,) = named
    if made.name.endswith(SAFE_ENDINGS):
        return Renaming(Database(made.service.name, made.name))
    others = [service for service in services if service.name != made.service.name]
    if not any(next(_mentions(one.environment, made), "") for one in others):
        return Renaming(
            note=f"the database {made.name} of {made.service.name} keeps its name: no other "
            "service's environment names it, so the name is built into a program"
        )
    new = f"{made.name}_e2e"
    variables = _by_variable(stack_file, made, new, reload)
    changed = reload(variables) if variables else stack_file
    return _with_values(changed, services, made, new, variables, public)


def _several(named: Sequence[_Named]) -> str:
    if not named:
        return ""
    shown = ", ".join(f"{made.name} of {made.service.name}" for made in named)
    return f"several databases, none of them renamed: {shown}; choose one under `database`"


def _made_by(service: Service) -> _Named | None:
    """The database that a service makes; None for another service."""
    environment = service.environment
    known = recognise(service.image) if service.image and service.build is None else None
    if known is not None and known.name == "postgres":
        return _Named(service, "POSTGRES_DB", database_of(environment))
    last = (service.image or "").rpartition("/")[2].partition(":")[0].partition("@")[0]
    for variable in _MADE_BY.get(last, ()):
        if environment.get(variable):
            return _Named(service, variable, environment[variable])
    return None


def _mentions(environment: Mapping[str, str], made: _Named) -> Iterator[str]:
    """Variables of an environment that name the database."""
    hosts = {
        target.place
        for target in environment_targets(environment)
        if target.database == made.name and target.host in made.hosts
    }
    for variable, value in environment.items():
        is_led = variable in hosts and _renamed(value, made.name, "") != value
        if is_led or (value == made.name and _is_name(variable.upper(), value)):
            yield variable


def _is_name(variable: str, value: str) -> bool:
    says_kind = variable in _BARE and value in {*_MADE_BY, "postgres"}
    return _NAME.search(variable) is not None and not says_kind


def _renamed(text: str, old: str, new: str) -> str:
    """A value with another database: the whole value, the end of a URL's path, `dbname=…`."""
    if text == old:
        return new
    name = re.escape(old)
    text = re.sub(rf"(?<=[^/]/){name}(?=$|[?#\s\"';,}}])", new, text)
    key = r"\b(?:dbname|database|initial catalog|db)\s*=\s*"
    return re.sub(rf"(?i:(?<!\w)({key})){name}(?=$|[;&\s\"'])", rf"\g<1>{new}", text)


def _by_variable(stack_file: StackFile, made: _Named, new: str, reload: Reload) -> dict[str, str]:
    """The variable of the stack file that names the database, with the new name."""
    for variable in stack_file.variables:
        if _NAME.search(variable.upper()):
            try:
                service = reload({variable: new}).services[made.service.name]
            except ConfigError:
                continue
            found = _made_by(service)
            if found is not None and found.name == new:
                return {variable: new}
    return {}


def _with_values(
    stack_file: StackFile,
    services: Sequence[Service],
    made: _Named,
    new: str,
    variables: Mapping[str, str],
    public: Sequence[Path],
) -> Renaming:
    written = _written_environments(stack_file)
    known = "\n".join(_text(path) for path in (*stack_file.sources, *public))
    environment: dict[str, dict[str, str]] = {}
    overlay: dict[str, dict[str, str]] = {}
    for service in (stack_file.services[service.name] for service in services):
        for variable in _mentions(service.environment, made):
            raw = written.get((service.name, variable), service.environment[variable])
            if "$" in raw:
                overlay.setdefault(service.name, {})[variable] = _renamed(raw, made.name, new)
                continue
            hidden = [word for word in _PASSWORD.findall(raw) if word not in known]
            if hidden:
                return Renaming(
                    note=f"the database {made.name} of {made.service.name} keeps its name: "
                    f"{variable} of {service.name} has a password that belongs in no committed "
                    f"file; write its database as ${{POSTGRES_DB:-{made.name}}} in the stack file"
                )
            environment.setdefault(service.name, {})[variable] = _renamed(raw, made.name, new)
    if made.service.name not in environment and not variables:
        environment[made.service.name] = {made.variable: new}
    return Renaming(
        Database(made.service.name, new), variables, environment, overlay,
        before=made.name, hosts=made.hosts,
    )  # fmt: skip


def _written_environments(stack_file: StackFile) -> dict[tuple[str, str], str]:
    """Each value of `environment:` as its file has it, by service and variable."""
    found: dict[tuple[str, str], str] = {}
    for path in stack_file.sources:
        services = _below(_below(read_yaml(path), "services"), None)
        for name, service in services.items():
            below = _below(service, "environment")
            if below is None:
                continue
            if isinstance(below.value, dict):
                found |= {(name, key): child.text for key, child in below.value.items()}
            elif isinstance(below.value, list):
                pairs = (str(item.text).partition("=") for item in below.value)
                found |= {(name, key): value for key, equals, value in pairs if equals}
    return found


def _below(node: Node | None, key: str | None) -> Any:
    """What stands under a key of a mapping; without a key all of it."""
    value = node.value if node is not None and isinstance(node.value, dict) else {}
    return value if key is None else value.get(key)


def _text(path: Path) -> str:
    try:
        return read_text_file(path, errors="replace")
    except OSError:
        return ""
