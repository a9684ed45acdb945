"""The tools that a request to OpenAI offers, and which of them its `tool_choice` forces.

Source: OpenAI API reference, "Create chat completion" and "Create a model response", and the types
of its SDK 3.52. Chat nests what Responses has flat. The texts about custom tools and
`allowed_tools` were not compared with the provider's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof_gateway.prompt import Tool
from stackproof_gateway.requests import check_choice, check_name
from stackproof_gateway.strict_schemas import check_arrays, check_schema

KINDS = ("function", "custom")
"""Types of tools that the client runs, and that have a name."""
_SYNTAXES = ("lark", "regex")
_CHOICES = ("allowed_tools", "computer_use")
"""Types of a choice that are none of a tool."""
_FAMILIES = ("computer", "web_search")
"""Beginnings of types that are one tool in several versions."""

Offer = dict[str, Any]


def offered_tools(body: dict[str, Any], types: Sequence[str]) -> Iterator[tuple[str, Offer]]:
    """The tools of a request, each with where it stands.

    Args:
        body: The request.
        types: Types of tools that the endpoint knows.

    Raises:
        ProviderError: If one is no object, or does not say its type.
    """
    for number, tool in enumerate(body.get("tools") or []):
        param = f"tools[{number}]"
        if not isinstance(tool, dict):
            raise bad_type(param, "an object", tool)
        if not isinstance(tool.get("type"), str):
            raise missing(f"{param}.type")
        check_choice(tool["type"], f"{param}.type", types)
        yield param, tool


def read_tools(
    body: dict[str, Any], types: Sequence[str], *, nested: bool, checked: bool = True
) -> tuple[Tool, ...]:
    """The functions and custom tools of a request.

    Args:
        body: The request.
        types: Types of tools that the endpoint knows.
        nested: Whether a tool stands below its type, as in Chat.
        checked: Whether the parameters must be a schema as OpenAI wants it.

    Raises:
        ProviderError: If one is not what it should be.
    """
    found = []
    for param, tool in offered_tools(body, types):
        kind = tool["type"]
        if kind not in KINDS:
            continue
        given, place = (tool.get(kind), f"{param}.{kind}") if nested else (tool, param)
        if not isinstance(given, dict):
            raise missing(place)
        if kind == "function":
            strict = given.get("strict") is True
            found.append(read_function(given, place, strict=strict, checked=checked))
        else:
            found.append(_custom(given, place, nested=nested))
    return tuple(found)


def read_function(
    function: Offer, param: str, *, strict: bool = False, checked: bool = True
) -> Tool:
    """A function that is offered.

    Args:
        function: The function.
        param: Where it stands in the request.
        strict: Whether the model must keep to its parameters.
        checked: Whether the parameters must be a schema as OpenAI wants it.

    Raises:
        ProviderError: If it has no proper name, or parameters that are no schema.
    """
    name = _name(function, param)
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise bad_type(f"{param}.parameters", "an object", parameters)
    if parameters is None or not checked:
        return Tool(name, parameters)
    if strict:
        check_schema(parameters, f"{param}.parameters", f"function '{name}'")
    else:
        check_arrays(parameters, f"{param}.parameters", f"function '{name}'")
    return Tool(name, parameters)


def _name(given: Offer, param: str) -> str:
    name = given.get("name")
    if not isinstance(name, str):
        raise missing(f"{param}.name")
    check_name(name, f"{param}.name")
    return name


def _custom(given: Offer, param: str, *, nested: bool) -> Tool:
    """A custom tool: it gets a text, which may have to fit a grammar."""
    name, form = _name(given, param), given.get("format") or {"type": "text"}
    param = f"{param}.format"
    if not isinstance(form, dict):
        raise bad_type(param, "an object", form)
    check_choice(form.get("type"), f"{param}.type", ("text", "grammar"))
    if form["type"] == "text":
        return Tool(name, kind="custom")
    grammar, place = (form.get("grammar"), f"{param}.grammar") if nested else (form, param)
    if not isinstance(grammar, dict):
        raise missing(place)
    check_choice(grammar.get("syntax"), f"{place}.syntax", _SYNTAXES)
    if not isinstance(grammar.get("definition"), str) or not grammar["definition"]:
        raise missing(f"{place}.definition")
    return Tool(name, kind="custom", grammar=(grammar["syntax"], grammar["definition"]))


def forced_tool(
    body: dict[str, Any], tools: tuple[Tool, ...], types: Sequence[str], *, nested: bool
) -> Tool | None:
    """The tool that must be called; None where the model may choose, and chooses none.

    Args:
        body: The request.
        tools: Its functions and custom tools.
        types: Types of tools that the endpoint knows.
        nested: Whether a choice stands below its type, as in Chat.

    Raises:
        ProviderError: If the choice is none that the provider knows, or of what is not offered.
    """
    choice = body.get("tool_choice")
    if not isinstance(choice, dict):
        if choice not in {None, "none", "auto", "required"}:
            raise bad_value("tool_choice", f"Invalid value: {str(choice)[:40]!r}. Supported values "
                            "are: 'none', 'auto', and 'required'.")  # fmt: skip
        return tools[0] if choice == "required" and tools else None
    kind = choice.get("type") or "function"
    check_choice(kind, "tool_choice.type", (*types, *_CHOICES))
    if kind == "allowed_tools":
        return _of_allowed(body, choice, tools, nested=nested)
    _check_offered(body, choice, nested=nested)
    return _named(choice, tools, nested=nested)


def _of_allowed(
    body: dict[str, Any], choice: Offer, tools: tuple[Tool, ...], *, nested: bool
) -> Tool | None:
    """The first of the allowed tools, if one of them must be called."""
    param = "tool_choice.allowed_tools" if nested else "tool_choice"
    allowed = choice.get("allowed_tools") if nested else choice
    if not isinstance(allowed, dict):
        raise missing(param)
    check_choice(allowed.get("mode"), f"{param}.mode", ("auto", "required"))
    if not isinstance(allowed.get("tools"), list) or not allowed["tools"]:
        raise missing(f"{param}.tools")
    for number, one in enumerate(allowed["tools"]):
        if not isinstance(one, dict):
            raise bad_type(f"{param}.tools[{number}]", "an object", one)
        _check_offered(body, one, nested=nested)
    if allowed["mode"] == "auto":
        return None
    found = (_named(one, tools, nested=nested) for one in allowed["tools"])
    return next((tool for tool in found if tool is not None), None)


def _own(tool: Offer, *, nested: bool) -> Offer:
    """What a tool or a choice says below its type, where it is nested."""
    kind = tool.get("type") or "function"
    below = tool.get(kind) if nested and kind in KINDS else tool
    return below if isinstance(below, dict) else {}


def _named(choice: Offer, tools: tuple[Tool, ...], *, nested: bool) -> Tool | None:
    kind, name = choice.get("type") or "function", _own(choice, nested=nested).get("name")
    return next((tool for tool in tools if (tool.kind, tool.name) == (kind, name)), None)


def _family(kind: Any) -> Any:
    return next((name for name in _FAMILIES if str(kind).startswith(name)), kind)


def _check_offered(body: dict[str, Any], choice: Offer, *, nested: bool) -> None:
    """Refuse a choice of a tool that is not offered: by its name, its server, or else its type."""
    kind = choice.get("type") or "function"
    key = "name" if kind in KINDS else "server_label" if kind == "mcp" else None
    wanted = _own(choice, nested=nested).get(key) if key else kind
    offered = [
        _own(tool, nested=nested).get(key) if key else kind
        for tool in body.get("tools") or ()
        if _family(tool["type"]) == _family(kind)
    ]
    if wanted not in offered:
        raise ProviderError(400, f"Tool choice {str(wanted)[:64]!r} not found in 'tools' "
                            "parameter.", param="tool_choice")  # fmt: skip
