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
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

from stackproof.errors import ConfigError
from stackproof.plan.services.known_images import recognise
from stackproof.settings.model import Origin, Settings
from stackproof.stack_file import load_stack_file
from stackproof.stack_file.env_files import read_dotenv
from stackproof.stack_file.model import Service, StackFile
from stackproof.stack_file.regular_files import read_text_file

ORIGIN = Origin("a secret of this user")
LARGEST_MOUNTED = 256 * 1024
START_UP = "/docker-entrypoint-initdb.d"

_CANDIDATE = re.compile(
    r"""(?:\bPOSTGRES_PASSWORD["']?\s*[:=]|--requirepass\b)[\s"',\[\]=-]*\$\{?([A-Za-z_]\w*)"""
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
        others = {key: one for key, one in values.items() if key != name}
        filled = load_stack_file(settings.compose_files, {**settings.variables, **values})
        plain: StackFile | None = None
        with contextlib.suppress(ConfigError):  # the variable is required, so it has no default
            plain = load_stack_file(settings.compose_files, {**settings.variables, **others})
        if _Check(settings, filled, plain, value).is_certain():
            settings = _with_value(settings, name, value)
    return settings


def unset_passwords(settings: Settings) -> list[str]:
    """What a person should know about the passwords that nobody has set."""
    return [
        f"{path[1]} is not set, so a secret value of this user stands for it; set it under "
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
    known = read_dotenv(settings.compose_files[0].parent, settings.variables)
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
        holders = [one for one in services if _password(one, self._environment(one)) == self.value]
        if any(self.value in text for one in services for text in _built_with(one)):
            return False
        return bool(holders) and all(self._agrees(one) for one in holders)

    def _agrees(self, holder: Service) -> bool:
        default = self._default(holder)
        for service in self.filled.services.values():
            texts = list(self._texts(service))
            uses = service.name == holder.name or _names(service, holder, texts)
            if uses and not any(self.value in text for text in texts):
                return False
            if default and self._has(service, texts, default):
                return False
        commands = [" ".join(one.command) for one in (*self.settings.migrate, *self.settings.seed)]
        return not (default and any(_says(text, default) for text in commands))

    def _default(self, holder: Service) -> str:
        if self.plain is None:
            return ""
        before = self.plain.services[holder.name]
        return _password(before, self._environment(before))

    def _environment(self, service: Service) -> Mapping[str, str]:
        return {**service.environment, **self.settings.environment.get(service.name, {})}

    def _texts(self, service: Service) -> Iterator[str]:
        yield from self._environment(service).values()
        yield " ".join((*(service.entrypoint or ()), *(service.command or ())))
        yield " ".join(service.healthcheck.test if service.healthcheck else ())

    def _has(self, service: Service, texts: Sequence[str], default: str) -> bool:
        """Whether the default stands somewhere by itself, so that it would go on to be used."""
        named = any(
            one == default and self.settings.is_secret(name)
            for name, one in self._environment(service).items()
        )
        files = (_mounted_text(Path(one.source), one.target) for one in service.mounts
                 if one.kind == "bind" and one.source)  # fmt: skip
        return named or any(_says(text, default) for text in (*texts, *files))


def _password(service: Service, environment: Mapping[str, str]) -> str:
    """The password that the server of a known image asks for; empty where it is none."""
    known = recognise(service.image) if service.image and service.build is None else None
    if known is None:
        return ""
    if known.name == "postgres":
        return environment.get("POSTGRES_PASSWORD", "")
    words = " ".join((*(service.entrypoint or ()), *(service.command or ()))).split()
    found = [after for word, after in pairwise(words) if word == "--requirepass"]
    return found[-1].strip("\"'") if found else ""


def _names(service: Service, holder: Service, texts: Sequence[str]) -> bool:
    """Whether a service may use a server: it waits for it, or names it."""
    aliases = (one for found in holder.networks.values() for one in found)
    links = (alias for alias, target in service.links.items() if target == holder.name)
    names = {holder.name, holder.container_name, holder.hostname, *aliases, *links} - {None}
    pattern = "|".join(re.escape(str(one)) for one in names)
    return holder.name in service.depends_on or any(
        re.search(rf"(?<![\w.-])(?:{pattern})(?![\w-])", text) for text in texts
    )


def _says(text: str, default: str) -> bool:
    """Whether a text uses a word as a password."""
    if any(unquote(found) == default for found in _URL_PASSWORD.findall(text)):
        return True
    before = r"(?:pass(?:word|wd)?|pwd|(?<![\w-])-a|(?<![\w-])-W)"
    return bool(re.search(rf"(?i:{before})[\"'\s=:]+{re.escape(default)}(?!\w)", text))


def _built_with(service: Service) -> Iterator[str]:
    """What would go into an image."""
    if service.build is not None:
        yield from (one for one in service.build.args.values() if one)


def _mounted_text(path: Path, target: str) -> str:
    """The text of a mounted file, or of the start-up files of a server; empty for large ones."""
    starts = target.rstrip("/") == START_UP
    files = sorted(path.iterdir()) if starts and path.is_dir() else [path]
    found = []
    for one in files:
        with contextlib.suppress(OSError):
            found.append(read_text_file(one, LARGEST_MOUNTED, errors="replace"))
    return "\n".join(found)
