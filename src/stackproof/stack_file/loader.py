"""Reads Compose files: interpolation, `extends`, merging, then the model with all its checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.fields import Field
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.merge import drop_reset, merge_files, merge_services, unify_mounts
from stackproof.stack_file.model import NamedVolume, Network, Service, StackFile
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.order import start_order
from stackproof.stack_file.ports import refuse_shared_ports
from stackproof.stack_file.regular_files import read_file, real_path
from stackproof.stack_file.schema import ignored_keys
from stackproof.stack_file.service_reader import read_service
from stackproof.stack_file.yaml_nodes import Node, read_yaml, walk

MOST_INHERITED = 1_000_000
"""Entries that all services together may get by `extends`."""

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"


def load_stack_file(
    paths: Sequence[Path],
    environment: Mapping[str, str],
    *,
    project_directory: Path | None = None,
) -> StackFile:
    """Read one or several Compose files as one stack file.

    Args:
        paths: The files; later ones are merged over earlier ones.
        environment: What `${…}` is looked up in, before the project's `.env`.
        project_directory: What relative paths are resolved against; None for the folder of the
            first file.

    Raises:
        ConfigError: At the first thing that is wrong, with file, line and key.
    """
    if not paths:
        raise ConfigError("no stack file is named", remedy="set compose_files in the stack config")
    base = host_path("", (project_directory or paths[0].parent).absolute())
    variables = Interpolation({**read_dotenv(base, environment), **environment})
    reader = _Reader(base, variables)
    merged: Node | None = None
    for path in paths:
        one = reader.file(path.absolute())
        merged = one if merged is None else merge_files(merged, one)
    assert merged is not None  # noqa: S101 - for the type checker: there is at least one path
    return reader.model(drop_reset(merged))


_Place = tuple[Path, str]
"""A file, and a service in it."""


class _Reader:
    """Reads the files of one stack."""

    def __init__(self, base: Path, variables: Interpolation) -> None:
        self.base = base
        self.variables = variables
        self.roots: dict[Path, Node] = {}
        self.whole: dict[_Place, Node] = {}
        self.inherited = 0

    def file(self, path: Path) -> Node:
        """One file, interpolated, its services with what they extend."""
        root = self._read(path)
        services = root.value.get("services")
        if services is not None and isinstance(services.value, dict):
            extended = {name: self._extended((path, name)) for name in services.value}
            services = Node(extended, services.where, services.tag)
            root = Node({**root.value, "services": services}, root.where)
        return root

    def _read(self, path: Path) -> Node:
        if path not in self.roots:
            self.roots[path] = self._parsed(path)
        return self.roots[path]

    def _parsed(self, path: Path) -> Node:
        try:
            data = read_file(path)
        except OSError as error:
            raise ConfigError(
                f"it can't be read: {error.strerror}",
                source=path,
                remedy="check compose_files in the stack config",
            ) from None
        root = read_yaml(path, data)
        top = Field(root, "")
        if not isinstance(root.value, dict):
            top.fail("a stack file is a mapping with `services`", remedy="begin with services:")
        return self.variables.tree(root)

    def _extended(self, place: _Place) -> Node:
        """A service with all that it extends; each service of a chain is made once."""
        chain: dict[_Place, tuple[Field, _Place]] = {}
        while place not in self.whole:
            field = self._service_field(place)
            if not isinstance(field.value, dict) or "extends" not in field.value:
                self.whole[place] = field.node
                break
            extends = field.child("extends")
            other = self._extends_target(extends, *place)
            if other in chain or other == place:
                names = " → ".join(name for _, name in [*chain, place, other])
                extends.fail(f"services extend each other in a circle: {names}",
                             remedy="remove one extends")  # fmt: skip
            if other not in self.whole:
                self._refuse_unknown(extends, other)
            chain[place] = field, other
            place = other
        for below, (field, other) in reversed(chain.items()):
            place = below
            self.whole[below] = self._inherit(field, self.whole[other], other[0])
        return self.whole[place]

    def _service_field(self, place: _Place) -> Field:
        return Field(self._read(place[0]), "").child("services").child(place[1])

    def _refuse_unknown(self, extends: Field, other: _Place) -> None:
        services = self._read(other[0]).value.get("services")
        known = services.value if services is not None else None
        if not isinstance(known, dict) or other[1] not in known:
            extends.fail(f"{other[0]} has no service {other[1]!r}", remedy="check the name")

    def _inherit(self, field: Field, below: Node, file: Path) -> Node:
        if not isinstance(below.value, dict):
            return field.node
        if file.parent != self.base:
            below = _rebased(below, file.parent)
        inherited = Node(
            {key: one for key, one in below.value.items() if key != "extends"}, below.where
        )
        own = Node({key: one for key, one in field.value.items() if key != "extends"},
                   field.node.where, field.node.tag)  # fmt: skip
        merged = merge_services(inherited, own)
        parts = merged.value.values() if isinstance(merged.value, dict) else ()
        self.inherited += sum(
            len(one.value) if isinstance(one.value, dict | list) else 1 for one in parts
        )
        if self.inherited > MOST_INHERITED:
            field.child("extends").fail(
                f"what the services extend has more than {MOST_INHERITED:,} entries",
                remedy="let fewer services extend others",
            )
        return merged

    def _extends_target(self, extends: Field, path: Path, name: str) -> tuple[Path, str]:
        if isinstance(extends.value, str):
            return path, extends.value
        extends.choose(dict.fromkeys(["service", "file"]), {})
        parts = extends.mapping()
        service = parts["service"].text() if "service" in parts else name
        if "file" not in parts:
            return path, service
        return real_path(path.parent, parts["file"].text()), service

    def model(self, root: Node) -> StackFile:
        """The model of a merged tree, checked as a whole."""
        top = Field(_with_unified_mounts(root), "")
        ignored = tuple(ignored_keys(top))
        parts = top.mapping()
        if "services" not in parts or not parts["services"].mapping():
            top.fail("there are no services", remedy="add services:")
        fields = parts["services"].mapping()
        services = {name: self._service(name, one) for name, one in fields.items()}
        volumes = self._volumes(parts)
        networks = self._networks(parts)
        _check_references(services, fields, volumes, networks)
        refuse_shared_ports(services, fields)
        extension = parts["x-stackproof"].plain() if "x-stackproof" in parts else {}
        return StackFile(
            name=parts["name"].text() if "name" in parts else None,
            sources=tuple(self.roots),
            project_directory=self.base,
            services=services,
            volumes=volumes,
            networks=networks,
            extension=extension if isinstance(extension, dict) else {},
            variables=dict(self.variables.seen),
            locations={path: node.where for path, node in walk(root)},
            ignored=ignored,
        )

    def _service(self, name: str, field: Field) -> Service:
        _check_name(name, field, "a service")
        return read_service(name, field, self.base, self.variables)

    def _volumes(self, parts: Mapping[str, Field]) -> dict[str, NamedVolume]:
        found = {}
        for name, field in (parts["volumes"].mapping() if "volumes" in parts else {}).items():
            known = field.mapping()
            _check_name(name, field, "a volume")
            beside = {"driver", "driver_opts", "labels"} & set(known)
            if "external" in known and beside:
                field.fail(f"an external volume has no {min(beside)}", remedy="remove one of them")
            found[name] = NamedVolume(
                **_external(known),
                labels=_labels(known),
                driver=known["driver"].text() if "driver" in known else None,
                options=_options(known),
            )
        return found

    def _networks(self, parts: Mapping[str, Field]) -> dict[str, Network]:
        found = {}
        for name, field in (parts["networks"].mapping() if "networks" in parts else {}).items():
            known = field.mapping()
            found[name] = Network(
                **_external(known),
                internal="internal" in known and known["internal"].boolean(),
                driver=known["driver"].text() if "driver" in known else None,
                labels=_labels(known),
            )
        return found


def _check_name(name: str, field: Field, kind: str) -> None:
    if not name or set(name) - set(_LETTERS):
        field.fail(f"{name!r} can't be the name of {kind}",
                   remedy="use letters, digits, dots, - and _")  # fmt: skip


def _with_unified_mounts(root: Node) -> Node:
    services = root.value.get("services")
    if services is None or not isinstance(services.value, dict):
        return root
    unified = {name: unify_mounts(one) for name, one in services.value.items()}
    return replace(root, value={**root.value, "services": replace(services, value=unified)})


def _external(known: Mapping[str, Field]) -> dict[str, Any]:
    """Name and whereabouts of a volume or network; `external: {name: …}` is an older spelling."""
    name = known["name"].text() if "name" in known else None
    if "external" not in known:
        return {"name": name}
    external = known["external"]
    if not isinstance(external.value, dict):
        return {"name": name, "external": external.boolean()}
    older = external.mapping().get("name")
    if older is not None and name is not None and name != older.text():
        external.fail("it has two names", remedy="write external: true, and name: beside it")
    return {"name": older.text() if older is not None else name, "external": True}


def _labels(known: Mapping[str, Field]) -> dict[str, str]:
    if "labels" not in known:
        return {}
    return {
        name: value.text() if isinstance(value, Field) else value or ""
        for name, value in known["labels"].pairs()
    }


def _options(known: Mapping[str, Field]) -> dict[str, str]:
    """`driver_opts` as texts."""
    if "driver_opts" not in known:
        return {}
    return {name: one.text() for name, one in known["driver_opts"].mapping().items()}


def _rebased(service: Node, folder: Path) -> Node:
    """A service of a file in another folder: its relative paths belong to that folder."""
    changed = dict(service.value)
    for key in ("volumes", "env_file", "build"):
        if key in changed:
            changed[key] = _rebased_paths(changed[key], folder, key)
    return Node(changed, service.where, service.tag)


def _rebased_paths(node: Node, folder: Path, key: str) -> Node:
    if isinstance(node.value, list):
        return Node([_rebased_paths(one, folder, key) for one in node.value], node.where)
    if isinstance(node.value, dict):
        return _rebased_long_form(node, folder, key)
    if not isinstance(node.value, str):
        return node
    if key != "volumes":
        return replace(node, value=str(host_path(node.value, folder)))
    source, colon, rest = node.value.partition(":")
    if colon and source.startswith("."):
        return replace(node, value=f"{host_path(source, folder)}:{rest}")
    return node


def _rebased_long_form(node: Node, folder: Path, key: str) -> Node:
    inner = {"volumes": "source", "env_file": "path", "build": "context"}[key]
    kind = node.value.get("type")
    if inner not in node.value or (key == "volumes" and kind and kind.value != "bind"):
        return node
    below = _rebased_paths(node.value[inner], folder, "env_file")
    return Node({**node.value, inner: below}, node.where)


def _field(service: Field, key: str) -> Field:
    """The field of a key, or of its service where another key implies it."""
    return service.child(key) if key in service.value else service


def _check_references(
    services: Mapping[str, Service],
    fields: Mapping[str, Field],
    volumes: Mapping[str, NamedVolume],
    networks: Mapping[str, Network],
) -> None:
    for name, service in services.items():
        for other in service.depends_on:
            if other not in services:
                _field(fields[name], "depends_on").fail(
                    f"{name} depends on {other!r}, which is no service",
                    remedy=f"known: {', '.join(services)}",
                )
        for mount in service.mounts:
            if mount.kind == "volume" and mount.source and mount.source not in volumes:
                fields[name].child("volumes").fail(
                    f"the volume {mount.source!r} is not declared",
                    remedy=f"add it under the top-level volumes, or write ./{mount.source} for a "
                    "folder",
                )
        for network in service.networks:
            if network not in networks and network != "default":
                fields[name].child("networks").fail(
                    f"the network {network!r} is not declared",
                    remedy="add it under the top-level networks",
                )
    try:
        start_order(services)
    except ConfigError as error:
        first = next(name for name in services if services[name].depends_on and name in error.what)
        _field(fields[first], "depends_on").fail(error.what, remedy=error.remedy)
