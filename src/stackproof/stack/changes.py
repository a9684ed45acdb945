"""How a plan and the files of its services differ from what runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackproof.stack.running_record import RunningRecord

SHOWN = ("argv", "environment", "working_dir", "runtime", "probe", "timing", "restart", "limits",
         "endpoints", "depends_on", "stop_signal", "stop_grace", "hermetic",
         "host_ports")  # fmt: skip
"""What a person is told of a changed plan."""

TRANSLATED = frozenset({"command", "entrypoint", "environment", "working_dir", "healthcheck",
                        "ports", "depends_on", "restart", "stop_signal", "stop_grace_period",
                        "limits", "expose", "extension"})  # fmt: skip
"""Keys of the stack file that are told as the plan has them."""

UNTOLD = frozenset({"python_source", "files", "has_base_packages"})
"""Parts of a service's runtime that change with what is told."""

NAMED_FILES = 3


@dataclass(frozen=True)
class Changes:
    """How a plan differs from what runs.

    Attributes:
        services: Services that must be started anew, or for the first time.
        removed: Services that run and are not wanted any more.
        lines: Each difference in words.
    """

    services: list[str]
    removed: list[str]
    lines: list[str]

    def __bool__(self) -> bool:
        return bool(self.services or self.removed)


def changes(before: RunningRecord, after: RunningRecord) -> Changes:
    """What must be done so that what runs is what is planned."""
    removed = [name for name in before.services if name not in after.services]
    found = Changes([], removed, [f"{name}: removed from the stack" for name in removed])
    for name, service in after.services.items():
        known = before.services.get(name)
        lines = ["new"] if known is None else list(differences(known, service))
        if lines:
            found.services.append(name)
            found.lines.extend(f"{name}: {line}" for line in lines)
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """How a service differs from what runs, in words; its files first."""
    if not before["digest"]:
        return ["its last start did not come to its end"]
    lines = [*_changed_files(before["files"], after["files"])]
    if before["digest"] != after["digest"]:
        told = [*_changed_keys(before["plan"], after["plan"], SHOWN)]
        keys = {*before["written"], *after["written"]}
        told += _changed_keys(before["written"], after["written"], sorted(keys - TRANSLATED))
        told = told or [*_changed_keys(before["written"], after["written"], sorted(TRANSLATED))]
        lines += told or ([] if lines else ["a secret value, or how stackproof runs it"])
    return lines


def _changed_files(
    before: Mapping[str, str] | None, after: Mapping[str, str] | None
) -> Iterator[str]:
    if before is None or after is None:
        return
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    if changed:
        names = [Path(path).name for path in changed[:NAMED_FILES]]
        more = ", …" if len(changed) > NAMED_FILES else ""
        count = "1 file" if len(changed) == 1 else f"{len(changed)} files"
        yield f"{count} changed since it was started ({', '.join(names)}{more})"


def _changed_keys(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: tuple[str, ...] | list[str]
) -> Iterator[str]:
    for key in keys:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            for name in {**old, **new}:
                if name not in UNTOLD and old.get(name) != new.get(name):
                    yield f"{_word(key)} {name}: {_text(old.get(name))} → {_text(new.get(name))}"
        else:
            yield f"{_word(key)}: {_text(old)} → {_text(new)}"


def _word(key: str) -> str:
    words = {"argv": "command", "endpoints": "port"}
    return words.get(key, key.replace("_", " "))


def _text(value: Any) -> str:
    """A value of the record in words."""
    if value is None or value in ("", [], {}):
        return "(unset)"
    if isinstance(value, dict) and "written" in value:
        return f"`{value['written']}`"
    if isinstance(value, dict):
        known = [
            f"{key} {_text(part)}" for key, part in value.items() if part not in (None, "", [])
        ]
        return ", ".join(known) or "(unset)"
    if isinstance(value, list):
        return " ".join(map(str, value)) if _is_flat(value) else "; ".join(map(_text, value))
    return str(value)


def _is_flat(values: list[Any]) -> bool:
    return not any(isinstance(value, dict | list) for value in values)
