"""The shape of a stack config, checked by pydantic; loaded late: pydantic is slow to import."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from stackproof.errors import ConfigError
from stackproof.redaction import MASK
from stackproof.settings.model import SAFE_ENDINGS
from stackproof.settings.suggestion import did_you_mean
from stackproof.stack_file import parse_duration, parse_size
from stackproof.stack_file.scalars import LARGEST_SIZE, whole_number

PROJECT_NAME = re.compile(r"^[a-z0-9][a-z0-9_-]*$")
"""What Docker Compose accepts as a project name."""

LAST_PORT = 65535


def _text(value: Any) -> Any:
    """A YAML scalar as the text that an environment variable gets."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _texts(value: Any) -> Any:
    return [_text(item) for item in value] if isinstance(value, list) else value


def _names(value: Any) -> Any:
    """A list of names, also written as one text with commas, as environment variables have it."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _duration(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value.strip()):
        return _parsed(parse_duration, value, "seconds, or a duration such as 1m30s")
    return value


def _size(value: Any) -> Any:
    if isinstance(value, str):
        return _parsed(parse_size, value, "bytes, or a size such as 512m")
    return value


def _parsed(parse: Any, value: str, wanted: str) -> Any:
    try:
        return parse(value)
    except (ConfigError, ValueError):
        raise ValueError(f"should be {wanted}, not {value!r}") from None


def _ports(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_port(key, "a container port"): _port(item) for key, item in value.items()}
    return _port(value)


def _port(value: Any, what: str = "a port") -> int:
    number = value if isinstance(value, int) else whole_number(str(value).strip())
    if isinstance(value, bool) or number is None or not 0 < number <= LAST_PORT:
        raise ValueError(f"should be {what} between 1 and {LAST_PORT}, not {value!r}")
    return number


def _commands(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


def _project(value: Any) -> Any:
    if isinstance(value, str) and not PROJECT_NAME.match(value):
        raise ValueError(
            f"should begin with a lower-case letter or digit and go on with those, _ and -, "
            f"not {value!r}"
        )
    return value


def _database_name(value: Any) -> Any:
    if isinstance(value, str) and not value.endswith(SAFE_ENDINGS):
        raise ValueError(f"should end in {' or '.join(SAFE_ENDINGS)}, not be {value!r}")
    return value


def _external(value: Any) -> Any:
    hosts = _names(value)
    for one in hosts if isinstance(hosts, list) else []:
        text = str(one)
        is_everything = not text.strip("*. ")
        if is_everything or "://" in text or "@" in text or "*" in text.removeprefix("*."):
            raise ValueError(
                f"should be host names such as payments.example, *.internal.example or "
                f"payments.example:8443, not {MASK if '@' in text else repr(text)}"
            )
    return hosts


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
Names = Annotated[list[str], BeforeValidator(_names)]
Seconds = Annotated[float, BeforeValidator(_duration), Field(gt=0)]
Ports = Annotated[int | dict[int, int], BeforeValidator(_ports)]
Isolation = Literal["shared", "session", "module", "test"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CommandSection(_Section):
    """`migrate`, `seed`, or one of a list of them."""

    service: str
    command: Texts = Field(min_length=1)


class DatabaseSection(_Section):
    """`database`."""

    service: str
    name: Annotated[str, BeforeValidator(_database_name)]


class GatewaySection(_Section):
    """`gateway`."""

    service: str


class ServiceLimitsSection(_Section):
    """One entry of `limits.services`."""

    cpus: Annotated[float, Field(gt=0)] | None = None
    memory: Annotated[int, BeforeValidator(_size), Field(gt=0, le=LARGEST_SIZE)] | None = None
    pids: Annotated[int, Field(gt=0, le=LARGEST_SIZE)] | None = None


class LimitsSection(ServiceLimitsSection):
    """`limits`."""

    services: dict[str, ServiceLimitsSection] = {}


class TimeoutsSection(_Section):
    """`timeouts`."""

    start: Seconds = 90.0
    stop: Seconds | None = None
    command: Seconds = 120.0


class SuiteSection(_Section):
    """One entry of `suites`."""

    paths: Texts = []
    profiles: Names = []
    marker: str = ""
    isolation: Isolation = "shared"


class IsolationSection(_Section):
    """`isolation`."""

    default: Isolation = "test"
    shared: Names = []
    pool: Annotated[int, Field(ge=0)] | None = None
    memory: Annotated[int, BeforeValidator(_size), Field(gt=0, le=LARGEST_SIZE)] | None = None


Commands = Annotated[list[CommandSection], BeforeValidator(_commands)]


class StackConfig(_Section):
    """`config/<stack>.yaml`, with the stronger layers already laid over it."""

    stack: str
    compose_files: Texts = Field(min_length=1)
    project: Annotated[str, BeforeValidator(_project)]
    engine: Literal["process", "compose", "attached"] = "process"
    attached: dict[str, Text] = {}
    profiles: Names = []
    variables: dict[str, Text] = {}
    ports: dict[str, Ports] = {}
    database: DatabaseSection | None = None
    gateway: GatewaySection | None = None
    environment: dict[str, dict[str, Text]] = {}
    migrate: Commands = []
    seed: Commands = []
    limits: LimitsSection = LimitsSection()
    servers: dict[str, str] = {}
    timeouts: TimeoutsSection = TimeoutsSection()
    secrets: Names = []
    coverage: bool = False
    hermetic: bool = False
    external: Annotated[list[str], BeforeValidator(_external)] = []
    isolation: IsolationSection = IsolationSection()
    mounts: dict[str, Literal["share", "copy", "refuse"]] = {}
    suites: dict[str, SuiteSection] = {}
    artifacts: str = ".artifacts"
    cache: str | None = None


def first_problem(
    error: ValidationError, tree: Mapping[str, Any]
) -> tuple[tuple[str, ...], str, str]:
    """The first problem of a validation as key path, sentence and remedy.

    An unknown key is told before anything else, since a missing key is often a misspelt one.

    Args:
        error: What pydantic raised.
        tree: What was validated.
    """
    problems = error.errors(include_url=False)
    problem = next((one for one in problems if one["type"] == "extra_forbidden"), problems[0])
    path = _written_path(problem["loc"], tree)
    if problem["type"] == "extra_forbidden":
        return path, "this key is unknown", did_you_mean(path[-1], _known_keys(path[:-1]))
    if problem["type"] == "missing":
        return path, f"the key {problem['loc'][-1]!r} is missing here", "add it"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return path, message, ""


def _written_path(loc: Sequence[str | int], tree: Any) -> tuple[str, ...]:
    """As much of pydantic's location as stands in the file: it names branches of unions as well."""
    path: list[str] = []
    for part in loc:
        if isinstance(tree, Mapping) and str(part) in tree:
            tree = tree[str(part)]
        elif isinstance(tree, list) and isinstance(part, int) and part < len(tree):
            tree = tree[part]
        else:
            continue
        path.append(str(part))
    return tuple(path)


def _known_keys(path: Sequence[str]) -> list[str]:
    sections: dict[tuple[str, ...], type[BaseModel]] = {
        (): StackConfig,
        ("database",): DatabaseSection,
        ("gateway",): GatewaySection,
        ("migrate",): CommandSection,
        ("seed",): CommandSection,
        ("limits",): LimitsSection,
        ("limits", "services"): ServiceLimitsSection,
        ("timeouts",): TimeoutsSection,
        ("isolation",): IsolationSection,
        ("suites",): SuiteSection,
    }
    fitting = [prefix for prefix in sections if tuple(path[: len(prefix)]) == prefix]
    return list(sections[max(fitting, key=len)].model_fields)
