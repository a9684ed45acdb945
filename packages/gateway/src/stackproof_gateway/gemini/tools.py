"""The functions of a request to Gemini, and which of them must be called."""

from __future__ import annotations

import re
from typing import Any

from stackproof_gateway.gemini.contents import broken, invalid
from stackproof_gateway.gemini.fields import snake
from stackproof_gateway.gemini.schemas import check_schema, json_schema
from stackproof_gateway.prompt import Tool

MOST_FUNCTIONS = 512
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_WHERE = "GenerateContentRequest"


def functions_of(body: dict[str, Any]) -> tuple[Tool, ...]:
    """The functions that may be called.

    Raises:
        ProviderError: If the provider refuses one of them.
    """
    found: dict[str, Tool] = {}
    for number, tool in enumerate(body.get("tools") or ()):
        for at, declared in enumerate(tool.get("functionDeclarations") or ()):
            place = f"{_WHERE}.tools[{number}].function_declarations[{at}]"
            function = _function(declared, place)
            if function.name in found:
                raise invalid(f"Duplicate function declaration found: {function.name}")
            found[function.name] = function
    if len(found) > MOST_FUNCTIONS:
        raise invalid(f"At most {MOST_FUNCTIONS} function declarations are allowed.")
    return tuple(found.values())


def _function(declared: dict[str, Any], place: str) -> Tool:
    name = declared.get("name") or ""
    if not _NAME.fullmatch(name):
        raise broken(
            f"{place}.name",
            "Invalid function name. Must start with a letter or an underscore. Must be alphameric "
            "(a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a "
            "maximum length of 128.",
        )
    given, other = declared.get("parameters"), declared.get("parametersJsonSchema")
    if given is not None and other is not None:
        raise broken(f"{place}.parameters_json_schema", "parameters and parameters_json_schema "
                     "must not both be set.")  # fmt: skip
    if given is None:
        return Tool(name, other)
    check_schema(given, f"{place}.parameters")
    return Tool(name, json_schema(given))


def names_of(body: dict[str, Any]) -> list[str]:
    """Names of the functions, and of the provider's own tools their kinds."""
    found = []
    for tool in body.get("tools") or ():
        found += [function["name"] for function in tool.get("functionDeclarations") or ()]
        found += [snake(kind) for kind in tool if kind != "functionDeclarations"]
    return found


def forced_function(body: dict[str, Any], functions: tuple[Tool, ...]) -> Tool | None:
    """The function that must be called; None if none must.

    Raises:
        ProviderError: If the provider refuses the way in which functions are to be called.
    """
    config = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode, allowed = config.get("mode", "AUTO"), config.get("allowedFunctionNames") or []
    place = f"{_WHERE}.tool_config.function_calling_config"
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise broken(f"{place}.allowed_function_names", "should only be set when mode is ANY or "
                     "VALIDATED")  # fmt: skip
    by_name = {function.name: function for function in functions}
    for name in allowed:
        if name not in by_name:
            raise broken(f"{place}.allowed_function_names", f"{name[:64]} is not in "
                         "function_declarations")  # fmt: skip
    if mode != "ANY":
        return None
    if not functions:
        raise broken(f"{place}.mode", "Function calling config is set without "
                     "function_declarations.")  # fmt: skip
    return by_name[allowed[0]] if allowed else functions[0]
