"""`volumes:` and `tmpfs:` of a service, short and long form.

Source: the Compose Specification, "volumes" and "tmpfs".
"""

from __future__ import annotations

from pathlib import Path

from stackproof.stack_file.fields import Field
from stackproof.stack_file.model import Mount

_LONG = ("type", "source", "src", "target", "dst", "destination", "read_only", "bind", "volume",
         "tmpfs", "consistency")  # fmt: skip
_MODES = {"ro", "rw", "z", "Z", "cached", "delegated", "consistent", "nocopy"}
PARTS = 3
"""Source, target and options."""

_HOST_BEGINNINGS = (".", "/", "~")


def read_mount(field: Field, base: Path) -> Mount:
    """One entry of `volumes:`.

    Args:
        field: The entry.
        base: What relative paths are resolved against.

    Raises:
        ConfigError: If it is none.
    """
    if isinstance(field.value, dict):
        return _long(field, base)
    return _short(field, field.text(), base)


def _short(field: Field, text: str, base: Path) -> Mount:
    parts = text.split(":")
    if len(parts) > PARTS or not all(parts):
        field.fail(f"{text!r} is not a mount", remedy="write source:/target or source:/target:ro")
    if len(parts) == 1:
        return Mount("volume", _absolute(field, parts[0]))
    options = set(parts[2].split(",")) if len(parts) == PARTS else set()
    unknown = options - _MODES
    if unknown:
        field.fail(f"the mount option {min(unknown)!r} is not known", remedy="write ro or rw")
    source, target = parts[0], _absolute(field, parts[1])
    read_only = "ro" in options
    if source.startswith(_HOST_BEGINNINGS):
        return Mount("bind", target, str(host_path(source, base)), read_only)
    return Mount("volume", target, source, read_only)


def _absolute(field: Field, target: str) -> str:
    if not target.startswith("/"):
        field.fail(
            f"the mount's target {target!r} is not an absolute path",
            remedy="write source:/target; a source in this folder begins with ./",
        )
    return target.rstrip("/") or "/"


def host_path(text: str, base: Path) -> Path:
    """A path of this machine as Compose resolves it."""
    if text.startswith("~"):
        return Path(text).expanduser()
    return Path(base, text).absolute().resolve()


def _long(field: Field, base: Path) -> Mount:
    field.choose(dict.fromkeys(_LONG), {})
    parts = field.mapping()
    kind = parts["type"].text() if "type" in parts else "volume"
    if kind not in {"bind", "volume", "tmpfs"}:
        parts["type"].fail(f"the mount type {kind!r} is not supported",
                           remedy="write bind, volume or tmpfs")  # fmt: skip
    target_key = next((one for one in ("target", "dst", "destination") if one in parts), None)
    if target_key is None:
        field.fail("a mount needs a target", remedy="add target: /path")
    source_key = next((one for one in ("source", "src") if one in parts), None)
    source = parts[source_key].text() if source_key else None
    if kind == "bind":
        if source is None:
            field.fail("a bind mount needs a source", remedy="add source: ./path")
        source = str(host_path(source, base))
    size, create = None, True
    if "tmpfs" in parts and "size" in parts["tmpfs"].mapping():
        size = parts["tmpfs"].mapping()["size"].size()
    if "bind" in parts and "create_host_path" in parts["bind"].mapping():
        create = parts["bind"].mapping()["create_host_path"].boolean()
    return Mount(
        kind=kind,  # type: ignore[arg-type] # checked above
        target=_absolute(parts[target_key], parts[target_key].text()),
        source=source,
        read_only="read_only" in parts and parts["read_only"].boolean(),
        create_host_path=create,
        size=size,
    )
