"""Reads Compose files: interpolation, `extends`, merging, then the model with all its checks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stackproof.errors import ConfigError, Mistakes
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.extending import Extending
from stackproof.stack_file.granted_files import GrantedFiles
from stackproof.stack_file.including import Included, included, with_included
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.merge import drop_reset, merge_files, unify_mounts
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.ports import refuse_shared_ports
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Node, dotted, walk
from stackproof.stack_file.reading.yaml_text import read_yaml
from stackproof.stack_file.schema import ignored_keys
from stackproof.stack_file.service_reader import read_service
from stackproof.stack_file.top_level import (
    check_name,
    check_references,
    read_networks,
    read_volumes,
)
from stackproof.stack_file.volumes_from import with_lent_mounts


def load_stack_file(
    paths: Sequence[Path],
    environment: Mapping[str, str],
    *,
    project_directory: Path | None = None,
    left_out: Collection[str] = (),
) -> StackFile:
    """Read one or several Compose files as one stack file.

    Args:
        paths: The files; later ones are merged over earlier ones.
        environment: What `${…}` is looked up in, before the project's `.env`.
        project_directory: What relative paths are resolved against; None for the folder of the
            first file.
        left_out: Services that nobody will run: what they say need not be supported.

    Raises:
        ConfigError: At the first thing that is wrong, with file, line and key.
    """
    if not paths:
        raise ConfigError("no stack file", remedy="set compose_files in the stack config")
    base = host_path("", (project_directory or paths[0].parent).absolute())
    given = Interpolation(environment)
    variables = given.beside({**read_dotenv(base, given), **environment})
    reader = _Reader(base, variables)
    whole = drop_reset(reader.files([path.absolute() for path in paths]))
    return reader.model(_with_stand_ins(whole, left_out))


class _Reader:
    """Reads the files of one stack."""

    def __init__(
        self, base: Path, variables: Interpolation, including: tuple[Path, ...] = ()
    ) -> None:
        self.base = base
        self.variables = variables
        self.including = including
        self.roots: dict[Path, Node] = {}
        self.others: dict[str, Interpolation] = {}
        self.extending = Extending(base, self._read)

    def files(self, paths: Sequence[Path]) -> Node:
        """Files with all that they include, later ones merged over earlier ones."""
        merged, *others = (self._whole(path) for path in paths)
        for over in others:
            merged = merge_files(merged, over)
        return merged

    def _whole(self, path: Path) -> Node:
        """One file, with what it includes."""
        root = self._file(path)
        field = Field(root, "")
        entries = list(included(field, self.base, self.variables))
        whole = replace(root, value={k: v for k, v in root.value.items() if k != "include"})
        for entry in entries:
            other = self._included(entry, path)
            whole = with_included(whole, entry, other)
        return whole

    def _included(self, entry: Included, by: Path) -> Node:
        chain = (*self.including, by)
        circle = [path for path in entry.paths if path in chain]
        if circle:
            entry.field.fail(f"{circle[0].name} includes itself", remedy="remove it")
        reader = _Reader(entry.folder, entry.variables, chain)
        other = drop_reset(reader.files(entry.paths))
        services = other.value.get("services")
        names = services.value if services is not None and isinstance(services.value, dict) else ()
        self.others |= reader.others
        self.others |= {name: entry.variables for name in names if name not in reader.others}
        self.roots |= reader.roots
        for name, value in entry.variables.seen.items():
            if name in self.variables.environment:  # the rest is in files of its own
                self.variables.seen.setdefault(name, value)
        return other

    def _file(self, path: Path) -> Node:
        """One file, interpolated, its services with what they extend."""
        root = self._read(path)
        services = root.value.get("services")
        if services is None or not isinstance(services.value, dict):
            return root
        extended = {name: self.extending.service(path, name) for name in services.value}
        return _with_services(root, extended)

    def _read(self, path: Path) -> Node:
        if path not in self.roots:
            root = read_yaml(path, remedy="check compose_files in the stack config")
            if not isinstance(root.value, dict):
                Field(root, "").fail("a stack file is a mapping with `services`",
                                     remedy="begin with services:")  # fmt: skip
            self.roots[path] = self.variables.tree(root)
        return self.roots[path]

    def model(self, root: Node) -> StackFile:
        """The model of a merged tree, checked as a whole."""
        top = Field(_with_unified_mounts(root), "")
        ignored = self._ignored(top)
        fields = top.below("services").mapping()
        if not fields:
            top.fail("there are no services", remedy="add services:")
        services = self._services(fields, GrantedFiles(top, self.base, self.variables))
        volumes, networks = read_volumes(top), read_networks(top)
        check_references(services, fields, volumes, networks)
        services = with_lent_mounts(services, fields)
        refuse_shared_ports(services, fields)
        extension = top.read("x-stackproof", Field.plain)
        return StackFile(
            name=top.read("name", Field.text),
            sources=tuple(self.roots),
            project_directory=self.base,
            services=services,
            volumes=volumes,
            networks=networks,
            extension=extension if isinstance(extension, dict) else {},
            variables=dict(self.variables.seen),
            unset=dict(self.variables.unset),
            default_profiles=self._default_profiles(),
            locations={dotted(path): node.where for path, node in walk(root)},
            ignored=ignored,
        )

    def _ignored(self, top: Field) -> tuple[str, ...]:
        """The keys that change nothing; wrong ones are told with what else is wrong in services."""
        found: list[str] = []
        mistakes = Mistakes()
        with mistakes.noted():
            found += ignored_keys(top)
        keys = [error.key for error in mistakes.found]
        if keys and all(key.startswith("services.") for key in keys):
            others = {
                name: field
                for name, field in top.below("services").mapping().items()
                if not any(re.match(rf"{re.escape(field.key)}(?:[.\[]|$)", key) for key in keys)
            }
            with mistakes.noted():
                self._services(others, GrantedFiles(top, self.base, self.variables))
        mistakes.refuse()
        return tuple(found)

    def _default_profiles(self) -> tuple[str, ...]:
        named = self.variables.environment.get("COMPOSE_PROFILES", "").split(",")
        return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))

    def _services(self, fields: Mapping[str, Field], granted: GrantedFiles) -> dict[str, Service]:
        found, mistakes = {}, Mistakes()
        for name, field in fields.items():
            with mistakes.noted():
                check_name(name, field, "a service")
                found[name] = read_service(
                    name, field, self.base, self.others.get(name, self.variables), granted
                )
        mistakes.refuse()
        return found


def _with_stand_ins(root: Node, left_out: Collection[str]) -> Node:
    """The tree with next to nothing in the place of what the services say that are left out."""
    services = root.value.get("services")
    if not left_out or services is None or not isinstance(services.value, dict):
        return root
    stand_ins = {
        name: replace(service, value={"image": replace(service, value="left-out")})
        for name, service in services.value.items()
        if name in left_out
    }
    return _with_services(root, {**services.value, **stand_ins})


def _with_services(root: Node, services: dict[str, Node]) -> Node:
    below = replace(root.value["services"], value=services)
    return replace(root, value={**root.value, "services": below})


def _with_unified_mounts(root: Node) -> Node:
    services = root.value.get("services")
    if services is None or not isinstance(services.value, dict):
        return root
    unified = {name: unify_mounts(service) for name, service in services.value.items()}
    return _with_services(root, unified)
