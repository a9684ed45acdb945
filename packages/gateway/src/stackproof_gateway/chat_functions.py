"""The legacy form of tools in Chat: `functions`, `function_call` and messages of functions.

Source: OpenAI API reference, "Create chat completion", where both are deprecated. The texts are
those that users of the API have reported (2023 to 2024); that functions and tools exclude each
other is confirmed by a report of histories alone.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof_gateway.prompt import Tool


def check_function_message(message: dict[str, Any], number: int, *, offered: bool) -> None:
    """Refuse a message whose function call, or answer to one, is not what it should be.

    Args:
        message: The message, with a known role.
        number: Its place.
        offered: Whether the request has functions.

    Raises:
        ProviderError: If the provider refuses it.
    """
    called, role = message.get("function_call"), message["role"]
    if role == "function" and not isinstance(message.get("name"), str):
        raise _broken(number, "name", "Missing parameter 'name': messages with role 'function' "
                      "must have a 'name'.")  # fmt: skip
    if offered and message.get("tool_calls") is not None:
        raise _broken(number, "tool_calls", "Invalid parameter: 'tool_calls' cannot be used when "
                      "'functions' are present. Please use 'tools' instead of 'functions'."
                      )  # fmt: skip
    if called is None:
        return
    if role != "assistant":
        raise _broken(number, "function_call", "Invalid parameter: only messages with role "
                      "'assistant' can have a function call.")  # fmt: skip
    param = f"messages[{number}].function_call"
    if not isinstance(called, dict):
        raise bad_type(param, "an object", called)
    for name in ("name", "arguments"):
        if called.get(name) is None:
            raise missing(f"{param}.{name}")
        if not isinstance(called[name], str):
            raise bad_type(f"{param}.{name}", "a string", called[name])


def check_functions(body: dict[str, Any]) -> None:
    """Refuse functions beside tools, and a choice of functions without any.

    Raises:
        ProviderError: If the provider refuses it.
    """
    functions = body.get("functions")
    if functions is not None and body.get("tools") is not None:
        raise ProviderError(400, "Invalid parameter: 'tools' cannot be used when 'functions' are "
                            "present. Please use 'tools' instead of 'functions'.",
                            param="tools")  # fmt: skip
    if body.get("function_call") is not None and not functions:
        raise ProviderError(400, "Invalid value for 'function_call': 'function_call' is only "
                            "allowed when 'functions' are specified.",
                            param="function_call")  # fmt: skip


def forced_function(choice: Any, functions: tuple[Tool, ...]) -> Tool | None:
    """The function that `function_call` forces; None where the model may choose.

    Raises:
        ProviderError: If it is none of the functions, or another word than the provider knows.
    """
    if choice in (None, "none", "auto"):
        return None
    if not isinstance(choice, dict):
        raise bad_value("function_call", f"Invalid value: {str(choice)[:40]!r}. Supported values "
                        "are: 'none' and 'auto'.")  # fmt: skip
    if not isinstance(choice.get("name"), str):
        raise missing("function_call.name")
    found = next((function for function in functions if function.name == choice["name"]), None)
    if found is None:
        raise ProviderError(400, f"Invalid value for 'function_call': no function named "
                            f"{choice['name'][:64]!r} was specified in the 'functions' parameter.",
                            param="function_call")  # fmt: skip
    return found


def as_function_call(message: dict[str, Any]) -> dict[str, Any]:
    """A message with the first of its tool calls in the legacy form."""
    call = message["tool_calls"][0]["function"]
    rest = {name: value for name, value in message.items() if name != "tool_calls"}
    return {**rest, "function_call": call}


def _broken(number: int, name: str, message: str) -> ProviderError:
    """A refusal of the history, as those of tool calls are written."""
    return ProviderError(400, message, param=f"messages.[{number}].{name}")
