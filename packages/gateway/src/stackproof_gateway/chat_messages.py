"""The messages of a chat request: what the provider refuses of them and of their tool calls.

Source: OpenAI API reference, "Create chat completion". The texts and params about tool calls are
those that users of the API have reported (2024 to 2026).
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.chat_functions import check_function_message
from stackproof_gateway.chat_parts import check_content
from stackproof_gateway.errors import ProviderError, bad_type, missing
from stackproof_gateway.requests import check_choice, check_name, required_list

ROLES = ("assistant", "developer", "function", "system", "tool", "user")
CALL_KINDS = {"function": "arguments", "custom": "input"}
"""Kinds of tool calls, and the field that holds what the tool gets."""
_SAYS_SOMETHING = ("content", "tool_calls", "function_call", "refusal", "audio")

Message = dict[str, Any]


def read_messages(body: dict[str, Any], *, whole: bool = True) -> list[Message]:
    """The messages of a request.

    Args:
        body: The request.
        whole: Whether tool calls must be whole, and answered.

    Raises:
        ProviderError: If the provider refuses one of them, or the order of calls and answers.
    """
    messages = required_list(body, "messages")
    offered = bool(body.get("functions"))
    for number, message in enumerate(messages):
        _check_message(message, number, whole=whole)
        check_function_message(message, number, offered=offered)
    if whole:
        _check_answers(messages)
    return messages


def _check_message(message: Any, number: int, *, whole: bool) -> None:
    if not isinstance(message, dict):
        raise bad_type(f"messages[{number}]", "an object", message)
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        check_choice(role, f"messages[{number}].role", ROLES)
    if role == "assistant":
        if all(message.get(name) is None for name in _SAYS_SOMETHING):
            raise _broken(number, "content", "Invalid value for 'content': expected a string, got "
                          "null.")  # fmt: skip
        if whole:
            _check_calls(message.get("tool_calls"), f"messages[{number}].tool_calls")
    if content is not None or role != "assistant":
        check_content(message, number)
    if whole and role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise _broken(number, "tool_call_id", "Missing parameter 'tool_call_id': messages with "
                      "role 'tool' must have a 'tool_call_id'.")  # fmt: skip


def _check_calls(calls: Any, param: str) -> None:
    if calls is None:
        return
    if not isinstance(calls, list):
        raise bad_type(param, "an array of objects", calls)
    required_list({param: calls}, param)
    for number, call in enumerate(calls):
        _check_call(call, f"{param}[{number}]")


def _check_call(call: Any, param: str) -> None:
    if not isinstance(call, dict):
        raise bad_type(param, "an object", call)
    kind = required_text(call, param, "type")
    check_choice(kind, f"{param}.type", tuple(CALL_KINDS))
    required_text(call, param, "id")
    called = call.get(kind)
    if called is None:
        raise missing(f"{param}.{kind}")
    if not isinstance(called, dict):
        raise bad_type(f"{param}.{kind}", "an object", called)
    check_name(required_text(called, f"{param}.{kind}", "name"), f"{param}.{kind}.name")
    required_text(called, f"{param}.{kind}", CALL_KINDS[kind])


def required_text(value: dict[str, Any], param: str, name: str) -> str:
    """A text that must be there.

    Raises:
        ProviderError: If it is missing, or no text.
    """
    found = value.get(name)
    if found is None:
        raise missing(f"{param}.{name}")
    if not isinstance(found, str):
        raise bad_type(f"{param}.{name}", "a string", found)
    return found


def _check_answers(messages: list[Message]) -> None:
    """Refuse calls without an answer right after them, and answers to what nobody has called."""
    called: list[str] = []
    waiting: list[str] = []
    for number, message in enumerate(messages):
        if message["role"] != "tool":
            if waiting:
                raise _broken(number, "role", _unanswered(waiting))
            called = [call["id"] for call in message.get("tool_calls") or ()]
            waiting = list(called)
            continue
        answered = message["tool_call_id"]
        if not called:
            raise _broken(number, "role", "Invalid parameter: messages with role 'tool' must be a "
                          "response to a preceeding message with 'tool_calls'.")  # fmt: skip
        if answered not in called:
            raise _broken(number, "tool_call_id", f"Invalid parameter: 'tool_call_id' of "
                          f"'{answered}' not found in 'tool_calls' of previous message.",
                          )  # fmt: skip
        waiting = [identity for identity in waiting if identity != answered]
    if waiting:
        raise ProviderError(400, _unanswered(waiting), param="messages")


def _unanswered(waiting: list[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages responding to "
        "each 'tool_call_id'. The following tool_call_ids did not have response messages: "
        f"{', '.join(waiting)}"
    )


def _broken(number: int, name: str, message: str) -> ProviderError:
    """A refusal of the history; its param has a dot before the number, and it has no code."""
    return ProviderError(400, message, param=f"messages.[{number}].{name}")
