"""What a request to Anthropic wants done to its context, and that the gateway has done nothing.

The gateway clears and summarizes nothing: where the provider would, there is an error that says so,
unless a script answers. Source: guides "Context editing", which has the defaults, and "Compaction";
the types of Anthropic's SDK 2.14. No text of the provider's was found.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.message_errors import excluded, none_of, refused, unknown_tag
from stackproof_gateway.message_turns import Message, blocks_of
from stackproof_gateway.prompt import Prompt

_THINKING, _TOOLS, _COMPACT = EDITS = (
    "clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112",
)  # fmt: skip
_TRIGGERS = {_TOOLS: ("input_tokens", "tool_uses"), _COMPACT: ("input_tokens",)}
_DEFAULTS = {_TOOLS: 100_000, _COMPACT: 150_000}
_THOUGHTS = ("thinking", "redacted_thinking")
_KEPT_TURNS = 1


def undone(body: dict[str, Any], messages: list[Message], tokens: int) -> ProviderError | None:
    """Why the gateway can't answer a request by itself; None where nothing is to be done.

    Args:
        body: The request.
        messages: Its messages.
        tokens: Tokens of the prompt.

    Raises:
        ProviderError: If the request has no proper form.
    """
    if body.get("compaction") is not None:
        return excluded("compaction: this gateway summarizes no conversation. Script the answer.",
                        "compaction")  # fmt: skip
    for number, edit in enumerate(_edits(body.get("context_management"))):
        param = f"context_management.edits.{number}"
        if not isinstance(edit, dict) or not isinstance(edit.get("type"), str):
            raise refused(f"{param}.type", "Field required")
        if edit["type"] not in EDITS:
            raise unknown_tag(param, edit["type"], EDITS)
        if _is_due(edit, f"{param}.{edit['type']}", messages, tokens):
            return excluded(f"{param}: this gateway edits no context, and the provider would "
                            f"apply `{edit['type']}` here. Script the answer, or change the "
                            "edit.", "context_management")  # fmt: skip
    return None


def applied(prompt: Prompt) -> dict[str, Any]:
    """What an answer tells of edits: none were applied; nothing where a script answers for one."""
    asked = prompt.body.get("context_management") is not None and prompt.unscripted is None
    return {"context_management": {"applied_edits": []}} if asked else {}


def _edits(given: Any) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, dict):
        raise refused("context_management", "Input should be an object")
    edits = given.get("edits", [])
    if not isinstance(edits, list):
        raise refused("context_management.edits", "Input should be a valid list")
    return edits


def _is_due(edit: dict[str, Any], param: str, messages: list[Message], tokens: int) -> bool:
    kind: str = edit["type"]
    if kind == _THINKING:
        kept = _kept_turns(edit.get("keep"), f"{param}.keep")
        return kept is not None and _thinking_turns(messages) > kept
    trigger = edit.get("trigger")
    if trigger is None:
        return tokens > _DEFAULTS[kind]
    counted, value = _limit(trigger, f"{param}.trigger", _TRIGGERS[kind])
    if counted == "input_tokens":
        return tokens > value
    blocks = [block for message in messages for block in blocks_of(message)]
    return len([block for block in blocks if block["type"] == "tool_use"]) > value


def _kept_turns(keep: Any, param: str) -> int | None:
    """Turns of the assistant that keep their thoughts; None for all."""
    if keep is None:
        return _KEPT_TURNS
    if keep == "all" or (isinstance(keep, dict) and keep.get("type") == "all"):
        return None
    return _limit(keep, param, ("thinking_turns",))[1]


def _limit(given: Any, param: str, kinds: tuple[str, ...]) -> tuple[str, int]:
    if not isinstance(given, dict):
        raise refused(param, "Input should be an object")
    if given.get("type") not in kinds:
        raise none_of(f"{param}.type", kinds)
    value = given.get("value")
    if isinstance(value, bool) or not isinstance(value, int):
        raise refused(f"{param}.value", "Input should be a valid integer")
    return given["type"], value


def _thinking_turns(messages: list[Message]) -> int:
    """Turns of the assistant with thoughts; results of tools do not end a turn."""
    turn, found = 0, set[int]()
    for message in messages:
        kinds = [block["type"] for block in blocks_of(message)]
        if message["role"] == "assistant":
            found |= {turn} if any(kind in _THOUGHTS for kind in kinds) else set()
        elif not kinds or any(kind != "tool_result" for kind in kinds):
            turn += 1
    return len(found)
