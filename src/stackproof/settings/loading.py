"""Loads the settings of a stack: default, stack config, env file, environment, command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.settings.config import read_config
from stackproof.settings.env_file import ENV_FILE, EXAMPLE, EnvValue, example_names, read_env_file
from stackproof.settings.layers import DEFAULT, RESERVED, is_setting, laid, setting_path
from stackproof.settings.llm_choice import PREFIX as LLM_PREFIX
from stackproof.settings.model import Origin, Settings
from stackproof.stack_file.reading.fields import Field
from stackproof.stack_file.reading.nodes import Location, Node, node_of, walk
from stackproof.stack_file.reading.scalars import unusable_letter
from stackproof.stack_file.reading.suggestion import did_you_mean
from stackproof.stack_file.reading.yaml_text import read_yaml
from stackproof.stack_file.regular_files import read_text_file

CONFIG_FOLDER = "config"
COMMAND_LINE = Location("command line")

ADDED = {"profiles": ("profiles",), "without": ("services", "exclude")}
"""What the command line adds to, instead of taking its place."""

_STACK_KEYS = re.compile(r"(?:^|[{,]\s*+)[\"']?(?:stack|compose_files)[\"']?\s*+:", re.MULTILINE)

ALWAYS_VISIBLE = ("COMPOSE_PROFILES", "HOME", "PWD", "USER")
"""Variables of the process environment that `${…}` sees without being declared."""


def load_settings(
    root: Path,
    *,
    stack: str | None,
    environment: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Merge all layers of settings, each value stronger than the one of the layer before.

    The layers are the built-in default, `config/<stack>.yaml`, `.env.integration`, the process
    environment (`STACKPROOF_…`) and the command line.

    Args:
        root: The project's folder.
        stack: Name of the stack from the command line; None where it is not given there.
        environment: The process environment.
        overrides: Values from the command line, shaped as in the stack config; None values are
            left out; `profiles`, and services to do `without`, are added to the other layers'.

    Raises:
        ConfigError: If anything is wrong, with the place where it was written.
    """
    env_file = read_env_file(_env_file(root))
    file = _config_file(root, stack, environment, env_file)
    layers = _config_layer(root, file)
    layers = _with_env_file(layers, root, env_file)
    layers = _with_environment(layers, root, env_file, environment)
    layers = _with_command_line(layers, overrides or {})
    return _settings(layers, root, file, environment)


def stacks(root: Path) -> tuple[str, ...]:
    """Names of the stacks that have a config, sorted; a file that stands alone is one."""
    files = list(_files(root))
    found = [path.stem for path in files if len(files) == 1 or _is_stack_config(path)]
    return tuple(sorted(found))


def _files(root: Path) -> Iterator[Path]:
    return (root / CONFIG_FOLDER).glob("*.yaml")


def _is_stack_config(path: Path) -> bool:
    """Whether a file has a key of a stack config; a Compose overlay may lie beside them."""
    try:
        return _STACK_KEYS.search(read_text_file(path, errors="replace")) is not None
    except OSError:
        return True  # which says why it can't be read


def _env_file(root: Path) -> Path:
    """The env file; until it is made from its example, that is what it will say."""
    made = root / ENV_FILE
    return made if os.path.lexists(made) else root / EXAMPLE


def _config_file(
    root: Path, stack: str | None, environment: Mapping[str, str], env_file: Mapping[str, EnvValue]
) -> Path:
    name, where = stack, COMMAND_LINE
    if not name and environment.get("STACKPROOF_STACK"):
        name, where = environment["STACKPROOF_STACK"], Location("environment STACKPROOF_STACK")
    elif not name and "STACKPROOF_STACK" in env_file and env_file["STACKPROOF_STACK"].value:
        line = env_file["STACKPROOF_STACK"]
        name, where = line.value, Location(ENV_FILE, line.line)
    known, files = stacks(root), {path.stem for path in _files(root)}
    if not known and name not in files:
        others = ", ".join(f"{stem}.yaml" for stem in sorted(files))
        raise ConfigError(
            f"no stack config: there is no {CONFIG_FOLDER}/<stack>.yaml",
            source=root,
            observed=f"neither `stack` nor `compose_files` is in {others}" if others else "",
            remedy=f"write {CONFIG_FOLDER}/{name or 'shop'}.yaml with the two lines "
            f"`stack: {name or 'shop'}` and `compose_files: [../compose.yaml]`",
        )
    if name is None and len(known) > 1:
        raise ConfigError(
            "several stacks: choose one with --stack",
            observed=f"there are {', '.join(known)}",
            remedy=f"add --stack {known[0]}, or set STACKPROOF_STACK in {ENV_FILE}",
        )
    if name is not None and name not in files:
        raise ConfigError(
            f"there is no stack {name!r}",
            source=where.source,
            line=where.line,
            observed=f"{CONFIG_FOLDER}/ has {', '.join(known)}",
            remedy=did_you_mean(name, known),
        )
    return root / CONFIG_FOLDER / f"{name or known[0]}.yaml"


def _config_layer(root: Path, file: Path) -> Node:
    shown = str(file.relative_to(root))
    written = read_yaml(file, shown=shown, any_keys=True)
    top = Field(written, "")
    if not isinstance(written.value, dict):
        top.fail("a stack config is a mapping", remedy="write `key: value` lines")
    name = top.read("stack", Field.text, file.stem)
    if name != file.stem:
        top.child("stack").fail(
            f"the stack config of {file.stem} calls itself {name!r}",
            remedy=f"write `stack: {file.stem}`, or rename the file",
        )
    given = {"stack": file.stem, "project": f"{file.stem}-e2e"}
    return laid(node_of(given, lambda _: DEFAULT), (), written)


def _services_in(layers: Node) -> Iterator[str]:
    for key in ("ports", "environment", "attached"):
        below = layers.value.get(key)
        yield from below.value if below and isinstance(below.value, dict) else ()
    for key in ("database", "gateway", "migrate", "seed"):
        below = layers.value.get(key)
        service = below.value.get("service") if below and isinstance(below.value, dict) else None
        if service and isinstance(service.value, str):
            yield service.value


def _with_env_file(layers: Node, root: Path, env_file: Mapping[str, EnvValue]) -> Node:
    declared = example_names(root)
    services = list(_services_in(layers))
    for name, entry in env_file.items():
        value = Node(entry.value, Location(ENV_FILE, entry.line))
        if is_setting(name):
            path = setting_path(name, value.where, services)
            if entry.value and path != ("stack",):
                layers = laid(layers, path, value)
            continue
        if declared is not None and name not in declared:
            raise ConfigError(
                f"{name} is unknown",
                source=ENV_FILE,
                line=entry.line,
                observed=f"{EXAMPLE} does not explain it",
                remedy=f"{did_you_mean(name, declared)} If it is new, add it to {EXAMPLE}",
            )
        layers = laid(layers, ("variables", name), value)
    return layers


def _with_environment(
    layers: Node, root: Path, env_file: Mapping[str, EnvValue], environment: Mapping[str, str]
) -> Node:
    services = list(_services_in(layers))
    variables, gateway = (layers.value.get(key) for key in ("variables", "gateway"))
    declared = {
        *(variables.value if variables and isinstance(variables.value, dict) else ()),
        *env_file,
        *(example_names(root) or ()),
    }
    for name, text in environment.items():
        value = Node(text, Location(f"environment {name}"))
        if not is_setting(name):
            is_for_gateway = gateway and gateway.value and name.startswith(LLM_PREFIX)
            if name in declared or is_for_gateway:
                layers = laid(layers, ("variables", name), _usable(value))
        elif name not in RESERVED and _usable(value).value:
            path = setting_path(name, value.where, services)
            if path != ("stack",):
                layers = laid(layers, path, value)
    return layers


def _usable(value: Node) -> Node:
    if unusable := unusable_letter(value.value):
        Field(value, "").fail(f"its value has {unusable}", remedy="write it in UTF-8")
    return value


def _with_command_line(layers: Node, overrides: Mapping[str, Any]) -> Node:
    for key, value in overrides.items():
        if value is None or (key in ADDED and not value):
            continue
        path = ADDED.get(key, (key,))
        added = _with_more(layers, path, value) if key in ADDED else value
        layers = laid(layers, path, node_of(added, lambda _: COMMAND_LINE))
    return layers


def _with_more(layers: Node, path: tuple[str, ...], added: Iterable[str]) -> list[str]:
    present: Node | None = layers
    for key in path:
        present = present.value.get(key) if present and isinstance(present.value, dict) else None
    known = Field(present, ".".join(path)).names() if present and present.value else ()
    return list(dict.fromkeys([*known, *added]))


def _settings(layers: Node, root: Path, file: Path, environment: Mapping[str, str]) -> Settings:
    found = read_config(Field(layers, ""), root, file)
    origins = {
        tuple(map(str, path)): Origin(str(node.where.source), node.where.line)
        for path, node in walk(layers)
        if path and node.where is not DEFAULT
    }
    visible = {name: environment[name] for name in ALWAYS_VISIBLE if name in environment}
    for name in visible:
        origins.setdefault(("variables", name), Origin(f"environment {name}"))
    found["variables"] = visible | found.get("variables", {})
    found.setdefault("artifacts", root / ".artifacts")
    found.setdefault("cache", default_cache(environment))
    return Settings(root=root, config_file=file, origins=origins, **found)


def default_cache(environment: Mapping[str, str]) -> Path:
    """Where virtualenvs and prepared data folders are kept when no setting says otherwise.

    For root it is a system folder, since servers that refuse to run as root must reach it.

    Args:
        environment: The process environment.
    """
    if environment.get("XDG_CACHE_HOME"):
        return Path(environment["XDG_CACHE_HOME"]) / "stackproof"
    if os.geteuid() == 0:
        return Path("/var/cache/stackproof")
    home = environment.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - pathlib's raises
    if not os.path.isabs(home):  # noqa: PTH117 - of a text
        raise ConfigError(
            "there is no home folder to keep prepared files in",
            source="environment HOME",
            remedy="set HOME, or STACKPROOF_CACHE_DIR to a folder",
        )
    return Path(home) / ".cache" / "stackproof"
