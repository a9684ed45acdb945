"""Loads the settings of a stack: default, stack config, env file, environment, command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stackproof.errors import ConfigError
from stackproof.settings.env_file import ENV_FILE, EXAMPLE, EnvValue, example_names, read_env_file
from stackproof.settings.layers import RESERVED, Layers, is_setting, setting_path
from stackproof.settings.llm_choice import PREFIX as LLM_PREFIX
from stackproof.settings.model import Origin, Settings
from stackproof.settings.suggestion import did_you_mean
from stackproof.stack_file.scalars import unusable_letter

CONFIG_FOLDER = "config"
COMMAND_LINE = Origin("command line")

ALWAYS_VISIBLE = ("HOME", "PWD", "USER")
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
            left out, and `profiles` are added to those of the other layers.

    Raises:
        ConfigError: If anything is wrong, with the place where it was written.
    """
    env_file = read_env_file(_env_file(root))
    file = _config_file(root, stack, environment, env_file)
    layers = _config_layer(root, file)
    _lay_env_file(layers, root, env_file)
    _lay_environment(layers, root, env_file, environment)
    _lay_command_line(layers, overrides or {})
    return _settings(layers, root, file, environment)


def stacks(root: Path) -> tuple[str, ...]:
    """Names of the stacks that have a config, sorted."""
    return tuple(sorted(path.stem for path in (root / CONFIG_FOLDER).glob("*.yaml")))


def _env_file(root: Path) -> Path:
    """The env file; until it is made from its example, that is what it will say."""
    made = root / ENV_FILE
    return made if os.path.lexists(made) else root / EXAMPLE


def _config_file(
    root: Path, stack: str | None, environment: Mapping[str, str], env_file: Mapping[str, EnvValue]
) -> Path:
    name, origin = stack, COMMAND_LINE
    if not name and environment.get("STACKPROOF_STACK"):
        name, origin = environment["STACKPROOF_STACK"], Origin("environment STACKPROOF_STACK")
    elif not name and "STACKPROOF_STACK" in env_file and env_file["STACKPROOF_STACK"].value:
        line = env_file["STACKPROOF_STACK"]
        name, origin = line.value, Origin(ENV_FILE, line.line)
    known = stacks(root)
    if not known:
        raise ConfigError(
            f"no stack config: there is no {CONFIG_FOLDER}/<stack>.yaml",
            source=root,
            remedy=f"write {CONFIG_FOLDER}/{name or 'shop'}.yaml with the two lines "
            f"`stack: {name or 'shop'}` and `compose_files: [../compose.yaml]`",
        )
    if name is None and len(known) > 1:
        raise ConfigError(
            "several stacks: choose one with --stack",
            observed=f"there are {', '.join(known)}",
            remedy=f"add --stack {known[0]}, or set STACKPROOF_STACK in {ENV_FILE}",
        )
    if name is not None and name not in known:
        raise ConfigError(
            f"there is no stack {name!r}",
            source=origin.name,
            line=origin.line,
            observed=f"{CONFIG_FOLDER}/ has {', '.join(known)}",
            remedy=did_you_mean(name, known),
        )
    return root / CONFIG_FOLDER / f"{name or known[0]}.yaml"


def _config_layer(root: Path, file: Path) -> Layers:
    from stackproof.settings.yaml_file import read_yaml

    shown = str(file.relative_to(root))
    written, lines = read_yaml(file, shown)
    layers = Layers(
        tree={"stack": file.stem, "project": f"{file.stem}-e2e", **written},
        origins={path: Origin(shown, line) for path, line in lines.items() if path},
    )
    if layers.tree["stack"] != file.stem:
        raise ConfigError(
            f"the stack config of {file.stem} calls itself {layers.tree['stack']!r}",
            source=shown,
            line=lines.get(("stack",)),
            key="stack",
            remedy=f"write `stack: {file.stem}`, or rename the file",
        )
    return layers


def _services_in(tree: Mapping[str, Any]) -> Iterable[str]:
    for key in ("ports", "environment", "attached"):
        if isinstance(tree.get(key), Mapping):
            yield from map(str, tree[key])
    for key in ("database", "gateway", "migrate", "seed"):
        section = tree.get(key)
        if isinstance(section, Mapping) and isinstance(section.get("service"), str):
            yield section["service"]


def _lay_env_file(layers: Layers, root: Path, env_file: Mapping[str, EnvValue]) -> None:
    declared = example_names(root)
    services = list(_services_in(layers.tree))
    for name, line in env_file.items():
        origin = Origin(ENV_FILE, line.line)
        if is_setting(name):
            path = setting_path(name, origin, services)
            if line.value and path != ("stack",):
                layers.lay(path, line.value, origin)
            continue
        if declared is not None and name not in declared:
            raise ConfigError(
                f"{name} is unknown",
                source=ENV_FILE,
                line=line.line,
                observed=f"{EXAMPLE} does not explain it",
                remedy=f"{did_you_mean(name, declared)} If it is new, add it to {EXAMPLE}",
            )
        layers.lay(("variables", name), line.value, origin)


def _lay_environment(
    layers: Layers,
    root: Path,
    env_file: Mapping[str, EnvValue],
    environment: Mapping[str, str],
) -> None:
    services = list(_services_in(layers.tree))
    variables = layers.tree.get("variables")
    declared = {
        *(variables if isinstance(variables, Mapping) else ()),
        *env_file,
        *(example_names(root) or ()),
    }
    for name, value in environment.items():
        origin = Origin(f"environment {name}")
        if (is_setting(name) or name in declared) and (unusable := unusable_letter(value)):
            raise ConfigError(
                f"its value has {unusable}", source=origin.name, remedy="write it in UTF-8"
            )
        if is_setting(name):
            if name not in RESERVED and value:
                path = setting_path(name, origin, services)
                if path != ("stack",):
                    layers.lay(path, value, origin)
        elif name in declared or (layers.tree.get("gateway") and name.startswith(LLM_PREFIX)):
            layers.lay(("variables", name), value, origin)


def _lay_command_line(layers: Layers, overrides: Mapping[str, Any]) -> None:
    for key, value in overrides.items():
        if value is None:
            continue
        if key == "profiles":
            if value:
                layers.lay((key,), _with_profiles(layers.tree.get(key), value), COMMAND_LINE)
        else:
            layers.lay((key,), value, COMMAND_LINE)


def _with_profiles(present: Any, added: Iterable[str]) -> list[str]:
    if isinstance(present, str):
        present = present.split(",")
    return list(dict.fromkeys([*(present or ()), *added]))


def _settings(layers: Layers, root: Path, file: Path, environment: Mapping[str, str]) -> Settings:
    from pydantic import ValidationError

    from stackproof.settings.building import build_settings
    from stackproof.settings.schema import StackConfig, first_problem

    try:
        config = StackConfig.model_validate(layers.tree)
    except ValidationError as error:
        path, message, remedy = first_problem(error, layers.tree)
        origin = _nearest(layers, path) or Origin(str(file.relative_to(root)))
        raise ConfigError(
            message, source=origin.name, line=origin.line, key=".".join(path), remedy=remedy
        ) from None
    visible = {name: environment[name] for name in ALWAYS_VISIBLE if name in environment}
    origins = dict(layers.origins)
    for name in visible:
        origins.setdefault(("variables", name), Origin(f"environment {name}"))
    cache = default_cache(environment)
    return build_settings(config, root, file, origins, visible=visible, cache=cache)


def _nearest(layers: Layers, path: tuple[str, ...]) -> Origin | None:
    while path and path not in layers.origins:
        path = path[:-1]
    return layers.origins.get(path)


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
