"""Merging Compose files, and services that extend others.

Source: the Compose Specification, "Merge" and "Extend": mappings merge, lists append, commands and
the like are replaced, mounts are matched by target; `!reset` and `!override`.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace

from stackproof.stack_file.reading.nodes import Node
from stackproof.stack_file.reading.yaml_text import DEEPEST

_REPLACED = {"command", "entrypoint", "healthcheck.test"}
_BY_KEY = {"environment", "labels", "build", "build.args", "build.labels", "depends_on",
           "networks"}  # fmt: skip
_AS_LISTS = {"env_file", "tmpfs", "dns", "dns_search", "extra_hosts"}
_PAIRS = ("environment.", "labels.", "build.args.", "build.labels.")
"""Where a key without a value says something."""

_APPENDED = {"ports", "extra_hosts", "volumes"}
"""Lists whose entries are compared when they are read, in whatever form they are written."""


def merge_files(base: Node, over: Node) -> Node:
    """Two whole files, the second one stronger."""
    merged = dict(base.value)
    for key, value in over.value.items():
        known = merged.get(key)
        if key == "services" and known is not None and _both(known, value, dict):
            services = {
                name: merge_services(known.value[name], service)
                if name in known.value and service.tag != "!reset"
                else service
                for name, service in value.value.items()
            }
            merged[key] = Node({**known.value, **services}, value.where)
        elif known is not None:
            merged[key] = _merge(known, value, "top", 0)
        else:
            merged[key] = value
    return Node(merged, over.where)


def merge_services(base: Node, over: Node) -> Node:
    """Two descriptions of one service, the second one stronger."""
    return _merge(base, over, "", 0)


def _both(base: Node, over: Node, kind: type) -> bool:
    return isinstance(base.value, kind) and isinstance(over.value, kind)


def _merge(base: Node, over: Node, path: str, depth: int) -> Node:
    if over.tag == "!override":
        return over
    if path in _REPLACED or depth > DEEPEST:
        return over
    if over.value is None and not path.startswith(_PAIRS):
        return base
    if path in _BY_KEY:
        base, over = _as_mapping(base, path), _as_mapping(over, path)
    if path in _AS_LISTS:
        base, over = _as_list(base, path), _as_list(over, path)
    if _both(base, over, dict):
        return _merge_mappings(base, over, path, depth)
    if _both(base, over, list):
        joined = [*base.value, *over.value]
        return Node(joined if path in _APPENDED else _distinct(joined), over.where)
    return over


def _merge_mappings(base: Node, over: Node, path: str, depth: int) -> Node:
    merged = dict(base.value)
    for key, value in over.value.items():
        if value.tag == "!reset":
            merged.pop(key, None)
        elif key in merged:
            below = f"{path}.{key}" if path else key
            merged[key] = _merge(merged[key], value, below, depth + 1)
        else:
            merged[key] = value
    return Node(merged, over.where)


def drop_reset(node: Node) -> Node:
    """A mapping without the keys that carry `!reset` and nothing to reset."""
    if not isinstance(node.value, dict):
        return node
    kept = {key: drop_reset(child) for key, child in node.value.items() if child.tag != "!reset"}
    return Node(kept, node.where, node.tag, node.size, node.text)


def _as_mapping(node: Node, path: str) -> Node:
    """The mapping form of a list of `KEY=value`, or of names."""
    if path == "build" and isinstance(node.value, str):
        return Node({"context": node}, node.where, node.tag)
    if not isinstance(node.value, list):
        return node
    pairs: dict[str, Node] = {}
    for item in node.value:
        if not isinstance(item.value, str | int | float):
            return node  # wrong, and said so when it is read
        text = str(item.value)
        if path in {"depends_on", "networks"}:
            started = Node("service_started", item.where)
            required = Node(value=True, where=item.where)
            form = {"condition": started, "required": required}
            value = form if path == "depends_on" else None
            pairs[text] = Node(value, item.where)
            continue
        name, found, rest = text.partition("=")
        pairs[name] = Node(rest if found else None, item.where, text=rest)
    return Node(pairs, node.where, node.tag)


def _as_list(node: Node, path: str) -> Node:
    """The list form of a single text, or of a mapping of hosts to addresses."""
    if isinstance(node.value, list):
        return node
    if path == "extra_hosts" and isinstance(node.value, dict):
        entries = [
            Node(f"{name}={ip.value}", ip.where)
            for name, host in node.value.items()
            for ip in (host.value if isinstance(host.value, list) else [host])
        ]
        return Node(entries, node.where, node.tag)
    return Node([node], node.where, node.tag)


def unify_mounts(service: Node) -> Node:
    """A service whose mounts have one target each: the last one, in the place of the first."""
    mounts = service.value.get("volumes") if isinstance(service.value, dict) else None
    if mounts is None or not isinstance(mounts.value, list):
        return service
    last = {_mount_target(mount): mount for mount in mounts.value}
    unified = replace(mounts, value=list(last.values()))
    return replace(service, value={**service.value, "volumes": unified})


def _mount_target(node: Node) -> object:
    if isinstance(node.value, dict):
        target = node.value.get("target")
        path = target.value if target is not None else None
    else:
        parts = str(node.value).split(":")
        path = parts[1] if len(parts) > 1 else parts[0]
    return posixpath.normpath(path) if isinstance(path, str) and path else _plain(node)


def _plain(node: Node) -> object:
    if isinstance(node.value, dict):
        return tuple((key, _plain(child)) for key, child in node.value.items())
    if isinstance(node.value, list):
        return tuple(_plain(item) for item in node.value)
    return str(node.value)


def _distinct(entries: list[Node]) -> list[Node]:
    return list({_plain(entry): entry for entry in entries}.values())
