"""The items of a request to the Responses API, and the calls and outputs among them.

Source: OpenAI API reference, "Create a model response", `input`. The texts about calls and outputs
of functions and custom tools are those that users of the API have reported (2025 and 2026); those
about other tools have the same form, and no report of a real one was found.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stackproof_gateway.chat_messages import required_text
from stackproof_gateway.errors import ProviderError, bad_type, missing
from stackproof_gateway.requests import check_choice
from stackproof_gateway.response_compaction import check_compaction
from stackproof_gateway.response_reasoning import check_reasoning_item

Item = dict[str, Any]

ROLES = ("assistant", "developer", "system", "user")
CALLS = {
    "function_call": ("name", "arguments"),
    "custom_tool_call": ("name", "input"),
    "computer_call": (),
    "shell_call": (),
    "apply_patch_call": (),
    "local_shell_call": (),
}
"""Types of calls that the client answers, and the texts that say what the tool gets."""
_OUTPUTS = {f"{kind}_output": kind for kind in CALLS}
_NEEDED = {"item_reference": ("id",), "mcp_approval_request": ("id",),
           "mcp_approval_response": ("approval_request_id",)}  # fmt: skip
TYPES = (
    "additional_tools", "apply_patch_call", "apply_patch_call_output", "code_interpreter_call",
    "compaction", "compaction_trigger", "computer_call", "computer_call_output",
    "configuration_update", "custom_tool_call", "custom_tool_call_output", "file_search_call",
    "function_call", "function_call_output", "image_generation_call", "item_reference",
    "local_shell_call", "local_shell_call_output", "mcp_approval_request",
    "mcp_approval_response", "mcp_call", "mcp_list_tools", "message", "program", "program_output",
    "reasoning", "shell_call", "shell_call_output", "tool_search_call", "tool_search_output",
    "web_search_call",
)  # fmt: skip
"""Types of items, as OpenAI's SDK 3.52 lists them."""
PARTS = ("input_text", "input_image", "output_text", "refusal", "input_file", "input_audio",
         "computer_screenshot", "scoped_content", "summary_text")  # fmt: skip
"""Types of parts of a message, as errors of the provider and its SDK list them."""
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco",
             "custom_tool_call": "ctc", "custom_tool_call_output": "ctco", "reasoning": "rs",
             "mcp_approval_response": "mcpr", "computer_call_output": "cuo"}  # fmt: skip
"""What ids of items begin with; of other types with `item`."""


def input_items(body: dict[str, Any]) -> list[Item]:
    """The input as items.

    Raises:
        ProviderError: If it is missing, or has items of an unknown form.
    """
    given = body.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return checked_items(given, "input", "a string or an array of objects")


def checked_items(given: Any, name: str, kind: str = "an array of objects") -> list[Item]:
    """Items of a request.

    Args:
        given: The items.
        name: The field that they stand in.
        kind: What it must be.

    Raises:
        ProviderError: If they are missing, or some have an unknown form.
    """
    if given is None or given == []:
        raise missing(name)
    if not isinstance(given, list):
        raise bad_type(name, kind, given)
    for number, item in enumerate(given):
        _check_item(item, f"{name}[{number}]")
    return given


def _check_item(item: Any, param: str) -> None:
    if not isinstance(item, dict):
        raise bad_type(param, "an object", item)
    kind = "item_reference" if is_reference(item) else item.get("type", "message")
    if not isinstance(kind, str):
        raise bad_type(f"{param}.type", "a string", kind)
    check_choice(kind, f"{param}.type", TYPES)
    if kind == "message":
        check_choice(item.get("role"), f"{param}.role", ROLES)
        _check_content(item.get("content"), f"{param}.content")
    for name in _texts(kind):
        required_text(item, param, name)
    if kind == "reasoning":
        check_reasoning_item(item, param)
    elif kind == "compaction":
        check_compaction(item, param)


def _texts(kind: str) -> tuple[str, ...]:
    """Fields of an item that must be there and be texts."""
    if kind in CALLS:
        return ("call_id", *CALLS[kind])
    return (_key(kind),) if kind in _OUTPUTS else _NEEDED.get(kind, ())


def _key(kind: str) -> str:
    """The field of an output that names its call; a local shell has the call's id as its own."""
    return "id" if kind == "local_shell_call_output" else "call_id"


def kept_items(items: Iterable[Item], number: int) -> list[Item]:
    """Items as they are kept: with an id, and texts as typed parts.

    Args:
        items: The items of a request.
        number: What their ids come from.
    """
    return [_kept(item, f"{number:08d}_i{at}") for at, item in enumerate(items)]


def _kept(item: Item, number: str) -> Item:
    kind = item.get("type", "message")
    identity = item.get("id") or f"{_PREFIXES.get(kind, 'item')}_{number}"
    if kind != "message":
        return {**item, "id": identity}
    content = item["content"]
    if isinstance(content, str):
        part: Item = {"type": "input_text", "text": content}
        if item["role"] == "assistant":
            part = {"type": "output_text", "text": content, "annotations": []}
        content = [part]
    return {"status": "completed", **item, "id": identity, "type": kind, "content": content}


def is_reference(item: Item) -> bool:
    """Whether an item stands for one of an earlier response; its type may be left out."""
    kind = item.get("type")
    return kind == "item_reference" or (kind is None and "id" in item and "role" not in item)


def _check_content(content: Any, param: str) -> None:
    if not isinstance(content, str | list):
        raise bad_type(param, "a string or an array of objects", content)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict):
            raise bad_type(f"{param}[{number}]", "an object", part)
        check_choice(required_text(part, f"{param}[{number}]", "type"), f"{param}[{number}]", PARTS)


def check_outputs(before: Iterable[Item], items: Iterable[Item]) -> None:
    """Refuse an output of what nobody has called, and a call without an output.

    Args:
        before: Items of the responses that this one follows.
        items: Items of the request.

    Raises:
        ProviderError: If there is such an output or call.
    """
    waiting: dict[tuple[str, str], bool] = {}
    asked: set[str] = set()
    for item in (*before, *items):
        kind = item.get("type", "message")
        if kind == "mcp_approval_request":
            asked.add(item["id"])
        elif kind == "mcp_approval_response" and item["approval_request_id"] not in asked:
            raise _broken("No approval request found for approval response with "
                          f"approval_request_id {item['approval_request_id']}.")  # fmt: skip
        if kind in CALLS:
            waiting.setdefault((kind, item["call_id"]), True)
        elif kind in _OUTPUTS:
            called = _OUTPUTS[kind], item[_key(kind)]
            if called not in waiting:
                raise _broken(f"No tool call found for {_spoken(called[0])} output with call_id "
                              f"{called[1]}.")  # fmt: skip
            waiting[called] = False
    for (kind, identity), unanswered in waiting.items():
        if unanswered:
            raise _broken(f"No tool output found for {_spoken(kind)} {identity}.")


def _spoken(kind: str) -> str:
    return kind.replace("_", " ")


def _broken(message: str) -> ProviderError:
    return ProviderError(400, message, param="input")
