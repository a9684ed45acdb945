"""Every setting as `invoke config` shows it, with its source, secrets masked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stackproof.settings.model import Command, Database, Isolation, Settings, Suite, Timeouts
from stackproof.stack_file.model import Limits
from stackproof_redaction import MASK, Redactor

_HIDDEN = {"root", "origins", "config_file"}
_PATHS = {
    "service_limits": ("limits", "services"),
    "gateway_service": ("gateway", "service"),
    "evidence": ("evidence", "sql"),
}


@dataclass(frozen=True)
class SettingLine:
    """One setting.

    Attributes:
        key: Dotted path, such as `ports.api`.
        value: The value as text; masked where it is, or holds, a secret.
        source: Where it came from.
        secret: Whether the value is masked as a whole.
    """

    key: str
    value: str
    source: str
    secret: bool


def explain(settings: Settings) -> list[SettingLine]:
    """Every setting with its source, secrets masked, in a fixed order."""
    redactor = Redactor(settings.secret_values())
    lines = []
    for path, value in _leaves(settings):
        hidden = path[0] in {"variables", "environment"} and settings.is_secret(path[-1])
        shown = MASK if hidden else redactor.text(_text(value))
        lines.append(SettingLine(".".join(path), shown, settings.source(path), hidden))
    return lines


def _leaves(settings: Settings) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in vars(settings).items():
        if name not in _HIDDEN:
            yield from _flatten(_PATHS.get(name, (name,)), value)


def _flatten(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Limits | Timeouts | Database | Suite | Isolation):
        value = {
            key: item for key, item in vars(value).items() if key != "name" or path[0] != "suites"
        }
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten((*path, str(key)), item)
    elif value is not None:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Command):
        return f"{value.service}: {' '.join(value.command)}"
    if isinstance(value, tuple):
        return ", ".join(_text(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
