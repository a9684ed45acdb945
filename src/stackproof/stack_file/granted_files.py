"""`secrets:` and `configs:`: files that a service may read, as read-only mounts.

Source: the Compose Specification, "Secrets", "Configs". Without a swarm, Compose mounts a file as
it is: `uid`, `gid` and `mode` have no effect. A text or variable becomes a file of the run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stackproof.stack_file.interpolation import Interpolation, required_variable
from stackproof.stack_file.model import Mount
from stackproof.stack_file.mounts import host_path
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.suggestion import did_you_mean

FOLDERS = {"secrets": "/run/secrets", "configs": "/"}
"""Where a file is seen that names no absolute target."""

WAYS = {"secrets": ("file", "environment"), "configs": ("file", "environment", "content")}
"""What can say what is in it."""


class GrantedFiles:
    """What the top level of a stack file has under `secrets` and `configs`.

    Args:
        top: The whole file.
        base: What relative paths are resolved against.
        variables: Where the variables that `environment` names are looked up.

    Raises:
        ConfigError: If one has several contents; of `external` ones stackproof knows none.
    """

    def __init__(self, top: Field, base: Path, variables: Interpolation) -> None:
        self._base = base
        self._variables = variables
        self._known: Mapping[str, Mapping[str, Field]] = {
            kind: top.below(kind).mapping() for kind in FOLDERS
        }
        for kind, declared in self._known.items():
            for field in declared.values():
                _refuse_several(kind, field)

    def mounts(self, service: Field) -> Iterator[Mount]:
        """The files that a service is granted.

        Args:
            service: The service.

        Raises:
            ConfigError: If one is not declared, or its content can't be had.
        """
        for kind in FOLDERS:
            for field in service.items(kind):
                yield self._mount(kind, field)

    def _mount(self, kind: str, field: Field) -> Mount:
        if isinstance(field.value, dict):
            field.require(["source"])
            name, target = field.child("source").text(), field.read("target", Field.text)
        else:
            name, target = field.text(), None
        known = self._known[kind].get(name)
        if known is None:
            field.fail(
                f"the {kind.removesuffix('s')} {name!r} is not declared",
                remedy=f"add it under the top-level {kind}, or "
                f"{did_you_mean(name, self._known[kind])}",
            )
        seen_at = posixpath.normpath(posixpath.join(FOLDERS[kind], target or name))
        return Mount(
            "bind", seen_at, read_only=True, create_host_path=False, where=field.node.where,
            is_secret=kind == "secrets", **self._source(kind, name, known),
        )  # fmt: skip

    def _source(self, kind: str, name: str, known: Field) -> dict[str, Any]:
        written = known.read("file", Field.text)
        if written is not None:
            return {"source": str(host_path(written, self._base)), "written": written}
        label = f"the {kind.removesuffix('s')} {name}"
        variable = known.read("environment", Field.text)
        if variable is not None:
            content = self._variables.look_up(variable)
            if content is None:
                raise required_variable(
                    variable, f"{label} is its value", known.child("environment")
                )
            return {"content": content, "written": label}
        content = known.read("content", Field.text)
        if content is not None:
            return {"content": content, "written": label}
        raise known.error(
            f"{label} is kept by a swarm, which stackproof does not run",
            remedy=f"name a file or a variable for it in a file that is merged later: {kind}: "
            f"{{{name}: !override {{file: ./{name}.txt}}}}",
        )


def _refuse_several(kind: str, field: Field) -> None:
    """Refuse what Compose refuses: more than one content, or none."""
    given = [key for key in WAYS["configs"] if field.get(key) is not None]
    external = field.get("external")
    is_external = external is not None and external.value is not False
    if "content" in given and kind == "secrets":
        field.child("content").fail(
            "a secret has no `content`: everybody could read it in the file",
            remedy="name a variable under `environment`, or a file under `file`",
        )
    if len(given) + is_external != 1:
        field.fail(
            f"this needs one of {', '.join(WAYS[kind])}" if not given
            else f"this has {' and '.join(given)}{' and external' if is_external else ''}",
            remedy=f"write one of {', '.join(WAYS[kind])}",
        )  # fmt: skip
