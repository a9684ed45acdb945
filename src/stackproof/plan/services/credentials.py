"""Passwords of known servers that the stack file takes from a variable which nobody has set.

Such a variable gets a secret value instead of the default that everybody can read in the stack
file, but only where that is certain to be right: each service that uses the server must get its
password from the same variable, and the default must stand in no other place.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from stackproof.errors import ConfigError
from stackproof.plan.services.known_images import recognise
from stackproof.settings.model import Origin, Settings
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.interpolation import Interpolation
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.regular_files import read_text_file

ORIGIN = Origin("a secret of this user")
LARGEST_MOUNTED = 256 * 1024
START_UP = "/docker-entrypoint-initdb.d"

_OF_MARIADB = tuple(
    f"{maker}_{who}PASSWORD" for who in ("", "ROOT_") for maker in ("MARIADB", "MYSQL")
)
PASSWORDS = {
    "postgres": ("POSTGRES_PASSWORD",),
    "rabbitmq": ("RABBITMQ_DEFAULT_PASS",),
    "mariadb": _OF_MARIADB,
    "mysql": _OF_MARIADB,
}
"""The variables of images that passwords are in."""

_CANDIDATE = re.compile(
    r"""(?:\b(?:POSTGRES_PASSWORD|RABBITMQ_DEFAULT_PASS|(?:MARIADB|MYSQL)_(?:ROOT_)?PASSWORD)"""
    r"""["']?\s*[:=]|--requirepass\b)"""
    r"""[\s"',\[\]=-]*\$\{?([A-Za-z_]\w*)"""
)
_URL_PASSWORD = re.compile(r"://[^\s/@:]*:([^\s/@]*)@")

Secret = Callable[[str], str]
"""Gives the secret value of a variable, the same one each time."""


def with_credentials(settings: Settings, secret: Secret) -> Settings:
    """The settings with a secret value for each password of a server that nobody has set.

    Args:
        settings: The settings.
        secret: Gives the values; it is asked for what is used only.

    Raises:
        ConfigError: If the stack file is wrong.
    """
    if settings.engine == "attached":
        return settings
    unset = [name for name in _candidates(settings) if name not in settings.variables]
    values: dict[str, str] = {name: secret(name) for name in unset}
    for name, value in values.items():
        others = {key: other for key, other in values.items() if key != name}
        load = partial(load_stack_file, settings.compose_files, left_out=settings.excluded)
        filled = load({**settings.stack_variables, **values})
        plain: StackFile | None = None
        with contextlib.suppress(ConfigError):  # the variable is required, so it has no default
            plain = load({**settings.stack_variables, **others})
        if _Check(settings, filled, plain, value).is_certain():
            settings = _with_value(settings, name, value)
    return settings


def unset_passwords(settings: Settings) -> list[str]:
    """What a person should know about the passwords that nobody has set."""
    return [
        f"{path[1]} is not set, so a generated secret is used; set it under "
        "`variables` to choose one"
        for path, origin in settings.origins.items()
        if origin == ORIGIN
    ]


def _with_value(settings: Settings, name: str, value: str) -> Settings:
    return replace(
        settings,
        variables={**settings.variables, name: value},
        secrets=(*settings.secrets, name),
        origins={**settings.origins, ("variables", name): ORIGIN},
    )


def _candidates(settings: Settings) -> list[str]:
    """Variables that may be passwords of servers, and that the project's `.env` does not set."""
    found: dict[str, None] = {}
    for path in settings.compose_files:
        with contextlib.suppress(OSError, UnicodeDecodeError):  # said when it is really read
            found |= dict.fromkeys(_CANDIDATE.findall(read_text_file(path)))
    if not found:
        return []
    known = read_dotenv(settings.compose_files[0].parent, Interpolation(settings.stack_variables))
    return [name for name in found if name not in known]


@dataclass(frozen=True)
class _Check:
    """Whether a secret value may stand for a variable.

    Attributes:
        settings: The settings.
        filled: The stack file with the secret value.
        plain: The stack file with the variable unset; None where it is required.
        value: The secret value.
    """

    settings: Settings
    filled: StackFile
    plain: StackFile | None
    value: str

    def is_certain(self) -> bool:
        """Whether some server has the value as its password, and all that use it do as well."""
        services = self.filled.services.values()
        holders = [
            service
            for service in services
            if self.value in _passwords(service, self._environment(service))
        ]
        if any(self.value in text for service in services for text in _built_with(service)):
            return False
        return bool(holders) and all(self._agrees(holder) for holder in holders)

    def _agrees(self, holder: Service) -> bool:
        default = self._default(holder)
        others = [word for word in _passwords(holder, self._environment(holder)) if word]
        for service in self.filled.services.values():
            texts = list(self._texts(service))
            uses = service.name == holder.name or _names(service, holder, texts)
            has_value = any(self.value in text for text in texts)
            if uses and not has_value and not _gives(texts, others):
                return False
            if default and self._has(service, texts, default):
                return False
        commands = [
            " ".join(hook.command) for hook in (*self.settings.migrate, *self.settings.seed)
        ]
        return not (default and any(_says(text, default) for text in commands))

    def _default(self, holder: Service) -> str:
        if self.plain is None:
            return ""
        before = self.plain.services[holder.name]
        place = _passwords(holder, self._environment(holder)).index(self.value)
        return _passwords(before, self._environment(before))[place]

    def _environment(self, service: Service) -> Mapping[str, str]:
        return {**service.environment, **self.settings.environment.get(service.name, {})}

    def _texts(self, service: Service) -> Iterator[str]:
        yield from self._environment(service).values()
        yield " ".join((*(service.entrypoint or ()), *(service.command or ())))
        yield " ".join(service.healthcheck.test if service.healthcheck else ())

    def _has(self, service: Service, texts: Sequence[str], default: str) -> bool:
        """Whether the default stands somewhere by itself, so that it would go on to be used."""
        named = any(
            text == default and self.settings.is_secret(name)
            for name, text in self._environment(service).items()
        )
        files = (_mounted_text(Path(mount.source), mount.target) for mount in service.mounts
                 if mount.kind == "bind" and mount.source)  # fmt: skip
        return named or any(_says(text, default) for text in (*texts, *files))


def _passwords(service: Service, environment: Mapping[str, str]) -> tuple[str, ...]:
    """The passwords that the server of a known image asks for, empty for those that are unset."""
    known = recognise(service.image) if service.image and service.build is None else None
    if known is None:
        return ()
    if known.name in PASSWORDS:
        return tuple(environment.get(name, "") for name in PASSWORDS[known.name])
    words = " ".join((*(service.entrypoint or ()), *(service.command or ()))).split()
    found = [after for word, after in pairwise(words) if word == "--requirepass"]
    return (found[-1].strip("\"'") if found else "",)


def _names(service: Service, holder: Service, texts: Sequence[str]) -> bool:
    """Whether a service may use a server: it waits for it, or names it."""
    aliases = (alias for found in holder.networks.values() for alias in found)
    links = (alias for alias, target in service.links.items() if target == holder.name)
    names = {holder.name, holder.container_name, holder.hostname, *aliases, *links} - {None}
    pattern = "|".join(re.escape(str(name)) for name in names)
    return holder.name in service.depends_on or any(
        re.search(rf"(?<![\w.-])(?:{pattern})(?![\w-])", text) for text in texts
    )


def _gives(texts: Sequence[str], passwords: Sequence[str]) -> bool:
    """Whether a service comes with one of some passwords, such as that of another user."""
    return any(text == word or _says(text, word) for text in texts for word in passwords)


def _says(text: str, default: str) -> bool:
    """Whether a text uses a word as a password."""
    if any(unquote(found) == default for found in _URL_PASSWORD.findall(text)):
        return True
    before = r"(?:pass(?:word|wd)?|pwd|identified\s+by|(?<![\w-])-a|(?<![\w-])-W)"
    attached = r"(?<![\w-])-p[\"']?"  # of the clients of MariaDB
    ways = rf"(?:(?i:{before})[\"'\s=:]+|{attached})"
    return bool(re.search(rf"{ways}{re.escape(default)}(?!\w)", text))


def _built_with(service: Service) -> Iterator[str]:
    """What would go into an image."""
    if service.build is not None:
        yield from (argument for argument in service.build.args.values() if argument)


def _mounted_text(path: Path, target: str) -> str:
    """The text of a mounted file, or of the start-up files of a server; empty for large ones."""
    starts = target.rstrip("/") == START_UP
    files = sorted(path.iterdir()) if starts and path.is_dir() else [path]
    found = []
    for file in files:
        with contextlib.suppress(OSError):
            found.append(read_text_file(file, LARGEST_MOUNTED, errors="replace"))
    return "\n".join(found)
