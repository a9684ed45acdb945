"""The tools of a request to Anthropic: functions of the client, and tools of the provider's own.

Source: Anthropic's SDK 2.14 for the types; the texts are those that users of the API report.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.message_errors import none_of, refused, unknown_tag
from stackproof_gateway.prompt import Tool

TYPES = frozenset(
    "advisor_20260301 bash_20241022 bash_20250124 browser_toolset_20260801 "
    "code_execution_20250522 code_execution_20250825 code_execution_20260120 "
    "code_execution_20260521 computer_20241022 computer_20250124 computer_20251124 "
    "computer_toolset_20260801 custom mcp_toolset memory_20250818 text_editor_20241022 "
    "text_editor_20250124 text_editor_20250429 text_editor_20250728 tool_search_tool_bm25 "
    "tool_search_tool_bm25_20251119 tool_search_tool_regex tool_search_tool_regex_20251119 "
    "web_fetch_20250910 web_fetch_20260209 web_fetch_20260309 web_fetch_20260318 "
    "web_search_20250305 web_search_20260209 web_search_20260318".split()
)
_CHOICES = ("auto", "any", "tool", "none")
_RUN_BY_THE_PROVIDER = ("advisor", "code_execution", "mcp_toolset", "tool_search", "web_")


def is_built_in(tool: dict[str, Any]) -> bool:
    """Whether the provider runs a tool itself."""
    return str(tool.get("type")).startswith(_RUN_BY_THE_PROVIDER)


def read_tools(body: dict[str, Any]) -> tuple[Tool, ...]:
    """The tools that the client runs.

    Raises:
        ProviderError: If the provider refuses one of the tools.
    """
    found, names = [], set[str]()
    for number, tool in enumerate(body.get("tools") or []):
        if not isinstance(tool, dict):
            raise refused(f"tools.{number}", "Input should be an object")
        kind = tool.get("type") or "custom"
        if kind not in TYPES:
            raise unknown_tag(f"tools.{number}", kind, TYPES)
        name = tool.get("name")
        if kind == "custom":
            _check_function(tool, f"tools.{number}.custom")
        if isinstance(name, str):
            if name in names:
                raise refused("tools", "Tool names must be unique.")
            names.add(name)
            if not is_built_in(tool):
                found.append(Tool(name, tool.get("input_schema")))
    return tuple(found)


def _check_function(tool: dict[str, Any], param: str) -> None:
    for name, kind, wanted in (("name", str, "string"), ("input_schema", dict, "dictionary")):
        if tool.get(name) is None:
            raise refused(f"{param}.{name}", "Field required")
        if not isinstance(tool[name], kind):
            raise refused(f"{param}.{name}", f"Input should be a valid {wanted}")
    kind = tool["input_schema"].get("type")
    if kind != "object":
        problem = "Field required" if kind is None else "Input should be 'object'"
        raise refused(f"{param}.input_schema.type", problem)


def forced_tool(body: dict[str, Any], tools: tuple[Tool, ...]) -> Tool | None:
    """The function that must be called.

    Args:
        body: The request.
        tools: Its functions.

    Raises:
        ProviderError: If there is no such tool, or no such way to choose one.
    """
    choice = body.get("tool_choice") or {"type": "auto"}
    kind = choice.get("type")
    if body.get("tool_choice") and not body.get("tools"):
        raise refused("tool_choice", "tool_choice may only be specified while providing tools")
    if kind not in _CHOICES:
        raise none_of("tool_choice.type", _CHOICES)
    if kind == "any":
        return tools[0] if tools else None
    if kind != "tool" or forced_built_in(body) is not None:
        return None
    named = next((tool for tool in tools if tool.name == choice.get("name")), None)
    if named is None:
        raise refused("tool_choice", f"Tool '{str(choice.get('name'))[:64]}' not found in provided "
                      "tools")  # fmt: skip
    return named


def forced_built_in(body: dict[str, Any]) -> str | None:
    """Name of the tool of the provider's own that must be used; None if there is none."""
    choice = body.get("tool_choice") or {}
    names = [tool.get("name") for tool in body.get("tools") or [] if is_built_in(tool)]
    named = choice.get("name") if choice.get("type") == "tool" else None
    return named if named in names else None
