"""Thinking in Anthropic's dialect: whether a request gets it, and what the provider refuses.

Source: Anthropic guides "Thinking", "Extended thinking" and "Adaptive thinking", and its SDK 2.14.
The texts are those that users of the API report; that of `display` is not. The provider verifies
each block; it wants a turn to begin with one where a budget is set, and not in adaptive mode.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.message_errors import excluded, none_of, refused, unknown_tag
from stackproof_gateway.message_turns import Message, blocks_of
from stackproof_gateway.model_rules import Rules
from stackproof_gateway.prompt import count_tokens
from stackproof_gateway.replies import Thought
from stackproof_gateway.sealing import opened, sealed
from stackproof_gateway.shelf import Shelf

LEAST_BUDGET = 1024
MOST_KEPT = 10_000
"""Uses of tools whose thoughts a namespace remembers."""

_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
_ON = ("adaptive", "enabled")
_DISPLAYS = ("summarized", "omitted", "updates")
_DATA = {"thinking": "signature", "redacted_thinking": "data"}
"""Types of blocks that hold thoughts, and which of their fields is sealed."""


def reasoning_of(body: dict[str, Any], rules: Rules) -> str:
    """Whether the model thinks first: `none`, `hidden` or `shown`.

    Args:
        body: A request that `check_thinking` has let through.
        rules: The model's rules.
    """
    thinking = body.get("thinking") or {"type": "adaptive" if rules.thinks_unasked else "disabled"}
    if thinking["type"] not in _ON:
        return "none"
    display = thinking.get("display") or ("omitted" if rules.hides_thinking else "summarized")
    return "shown" if display == "summarized" else "hidden"


def thinking_blocks(thoughts: tuple[Thought, ...], *, shown: bool) -> Iterator[dict[str, Any]]:
    """Thoughts as blocks of an answer."""
    for thought in thoughts:
        if thought.redacted:
            data = sealed(thought.text, "redacted_thinking")
            yield {"type": "redacted_thinking", "data": data}
        else:
            signature = sealed(thought.text, "thinking")
            text = thought.text if shown else ""
            yield {"type": "thinking", "thinking": text, "signature": signature}


def check_thinking(
    body: dict[str, Any], messages: list[Message], bound: int | None, model: str, rules: Rules
) -> None:
    """Refuse thinking that the model does not have, that excludes other fields, or was changed.

    Args:
        body: The request.
        messages: Its messages.
        bound: Most tokens of the answer; None where only tokens are counted.
        model: The model that is asked for.
        rules: The model's rules.

    Raises:
        ProviderError: With the provider's text.
    """
    for number, message in enumerate(messages):
        for at, block in enumerate(blocks_of(message)):
            if block["type"] in _DATA:
                _check_block(block, message["role"], f"messages.{number}.content.{at}")
    thinking = body.get("thinking")
    if not thinking:
        return
    kind = thinking.get("type")
    if kind not in _TYPES:
        raise unknown_tag("thinking", kind, _TYPES)
    if kind not in _ON:
        return
    if thinking.get("display") not in (None, *_DISPLAYS):
        raise none_of(f"thinking.{kind}.display", _DISPLAYS)
    _check_model(kind, model, rules)
    if kind == "enabled":
        _check_budget(thinking, bound)
        _check_beginning(messages)
    _check_excluded(body)


def keep_thoughts(content: list[dict[str, Any]], shelf: Shelf) -> None:
    """Note the sealed thoughts of an answer by the ids of the tools that it uses."""
    for block in content:
        if block["type"] == "tool_use":
            shelf.thoughts[block["id"]] = _seals(content)
    while len(shelf.thoughts) > MOST_KEPT:
        del shelf.thoughts[next(iter(shelf.thoughts))]


def check_kept(messages: list[Message], shelf: Shelf) -> None:
    """Refuse a loop of tools whose last turn of the model has lost some of its thoughts.

    One that has lost all of them is `check_thinking`'s, which knows whether it may.

    Raises:
        ProviderError: With the provider's text.
    """
    said = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    if not said:
        return
    content = blocks_of(messages[said[-1]])
    found = _seals(content)
    for at, block in enumerate(content):
        kept = shelf.thoughts.get(block["id"]) if block["type"] == "tool_use" else None
        if found and kept is not None and found != kept:
            raise refused(
                f"messages.{said[-1]}.content.{at}",
                "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot "
                "be modified. These blocks must remain as they were in the original response.",
            )


def _seals(content: list[dict[str, Any]]) -> list[str]:
    return [block[_DATA[block["type"]]] for block in content if block["type"] in _DATA]


def _check_block(block: dict[str, Any], role: str, param: str) -> None:
    """Refuse a block of thoughts that is not as the gateway has made it."""
    kind = block["type"]
    if role != "assistant":
        raise refused(param, f"`{kind}` blocks can only be in `assistant` messages")
    for name in ("thinking", "signature") if kind == "thinking" else ("data",):
        if not isinstance(block.get(name), str):
            problem = "Input should be a valid string" if name in block else "Field required"
            raise refused(f"{param}.{kind}.{name}", problem)
    text = opened(block[_DATA[kind]], kind)
    if text is None or block.get("thinking") not in (None, "", text):
        raise refused(param, f"Invalid `{_DATA[kind]}` in `{kind}` block")


def _check_model(kind: str, model: str, rules: Rules) -> None:
    if rules.thinking is None or kind in rules.thinking:
        return
    if not rules.thinking:
        raise excluded(f"'{model}' does not support thinking.", "thinking")
    if kind == "adaptive":
        raise excluded("adaptive thinking is not supported on this model", "thinking")
    raise excluded('"thinking.type.enabled" is not supported for this model. Use '
                   '"thinking.type.adaptive" and "output_config.effort" to control thinking '
                   "behavior.", "thinking")  # fmt: skip


def _check_budget(thinking: dict[str, Any], bound: int | None) -> None:
    param, budget = "thinking.enabled.budget_tokens", thinking.get("budget_tokens")
    if budget is None:
        raise refused(param, "Field required")
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise refused(param, "Input should be a valid integer")
    if budget < LEAST_BUDGET:
        raise refused(param, f"Input should be greater than or equal to {LEAST_BUDGET}")
    if bound is not None and budget >= bound:
        raise excluded("`max_tokens` must be greater than `thinking.budget_tokens`.", "max_tokens")


def _check_beginning(messages: list[Message]) -> None:
    """Refuse a loop of tools whose turn of the model does not begin with a thought."""
    said = [message for message in messages if message["role"] != "system"]
    if not _has_results(said[-1]):
        return
    number = _turn(messages)
    first = (blocks_of(messages[number]) or [{"type": "text"}])[0]["type"]
    if first not in _DATA:
        raise refused(
            f"messages.{number}.content.0.type",
            f"Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is "
            "enabled, a final `assistant` message must start with a thinking block (preceeding the "
            "lastmost set of `tool_use` and `tool_result` blocks). We recommend you include "
            "thinking blocks from previous turns. To avoid this requirement, disable `thinking`. "
            "Please consult our documentation at "
            "https://docs.claude.com/en/docs/build-with-claude/extended-thinking",
        )


def _turn(messages: list[Message]) -> int:
    """Where the model's turn begins: after the last message of the user without a tool's result."""
    asked = [
        number for number, message in enumerate(messages)
        if message["role"] == "user" and not _has_results(message)
    ]  # fmt: skip
    return asked[-1] + 1 if asked else 0


def thought_tokens(messages: list[Message]) -> int:
    """Tokens of the thoughts in the model's turn; those of earlier turns count nothing.

    Source: Anthropic guide "Token counting".
    """
    thoughts = [
        opened(block[_DATA[block["type"]]], block["type"]) or ""
        for message in messages[_turn(messages):]
        for block in blocks_of(message) if block["type"] in _DATA
    ]  # fmt: skip
    return sum(count_tokens(thought) for thought in thoughts)


def _has_results(message: Message) -> bool:
    return any(block["type"] == "tool_result" for block in blocks_of(message))


def _check_excluded(body: dict[str, Any]) -> None:
    if body.get("temperature") not in (None, 1):
        raise excluded("`temperature` may only be set to 1 when thinking is enabled or in adaptive "
                       "mode.", "temperature")  # fmt: skip
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise excluded(
            "Thinking may not be enabled when tool_choice forces tool use.", "tool_choice"
        )
