"""The messages of a request to Anthropic: roles, content, and tools that were used.

Source: Anthropic API reference, "Create a Message"; guide "Tool use", "Handle tool calls": the
results of all tools come first in the next turn. Messages of one role in a row are one turn. What
is refused of server tools and its text: guide "Server tools"; the place at the beginning and the
text about results: reports of users (2026).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.message_built_in import result_type
from stackproof_gateway.message_errors import none_of, refused, unknown_tag

Message = dict[str, Any]
TAGS = frozenset(
    "advisor_tool_result bash_code_execution_tool_result code_execution_tool_result compaction "
    "container_upload document fallback image mcp_tool_listing mcp_tool_result mcp_tool_use "
    "redacted_thinking search_result server_tool_use text text_editor_code_execution_tool_result "
    "thinking tool_addition tool_removal tool_result tool_search_tool_result tool_use "
    "web_fetch_tool_result web_search_tool_result".split()
)
"""Types of blocks in a request, as Anthropic's SDK 2.11 lists them."""
_PARTNERS = {"tool_use": "assistant", "server_tool_use": "assistant", "tool_result": "user"}
_SERVER_RESULTS = {tag for tag in TAGS if tag.endswith("_tool_result")} - {"mcp_tool_result"}


def read_turns(body: dict[str, Any]) -> list[Message]:
    """The messages of a request.

    Raises:
        ProviderError: If the provider refuses one of them, or the order of tools and results.
    """
    messages = body.get("messages")
    if messages is None:
        raise refused("messages", "Field required")
    if not isinstance(messages, list):
        raise refused("messages", "Input should be a valid list")
    if not messages:
        raise refused("messages", "at least one message is required")
    for number, message in enumerate(messages):
        _check_message(message, f"messages.{number}")
    _check_system(messages)
    _check_empty(messages)
    _check_results(messages)
    _check_server_tools(messages)
    return messages


def blocks_of(message: Message) -> list[dict[str, Any]]:
    """The blocks of a message; none where its content is a text."""
    content = message["content"]
    return content if isinstance(content, list) else []


def _check_message(message: Any, param: str) -> None:
    if not isinstance(message, dict):
        raise refused(param, "Input should be an object")
    if message.get("role") not in ("user", "assistant", "system"):
        raise none_of(f"{param}.role", ("user", "assistant"))
    content = message.get("content")
    if not isinstance(content, str | list):
        raise refused(f"{param}.content", "Input should be a valid string or list")
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            raise refused(f"{param}.content.{number}.type", "Field required")
        if block["type"] not in TAGS:
            raise unknown_tag(f"{param}.content.{number}", block["type"], TAGS)
        if block["type"] == "text":
            _check_text(block.get("text"), f"{param}.content.{number}.text.text")
        if block["type"] in _PARTNERS:
            _check_partner(block, message["role"], f"{param}.content.{number}")
        if block["type"] in _SERVER_RESULTS:
            _check_names(block, ("tool_use_id",), f"{param}.content.{number}")


def _check_text(text: Any, param: str) -> None:
    if text is None:
        raise refused(param, "Field required")
    if not isinstance(text, str):
        raise refused(param, "Input should be a valid string")
    if not text:
        raise refused("messages", "text content blocks must be non-empty")


def _check_empty(messages: list[Message]) -> None:
    for number, message in enumerate(messages):
        final = message["role"] == "assistant" and number == len(messages) - 1
        if not message["content"] and not final:
            raise refused(f"messages.{number}", "all messages must have non-empty content except "
                          "for the optional final assistant message")  # fmt: skip


def _check_system(messages: list[Message]) -> None:
    """Refuse system messages elsewhere than between what is asked and what is answered.

    Source: guide "Mid-conversation system messages", as users quote it; of the texts only the first
    is one that they report.
    """
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        if number == 0:
            raise refused("messages", 'Unexpected role "system". The Messages API accepts a '
                          'top-level `system` parameter, not "system" as an input message '
                          "role.")  # fmt: skip
        before, after = messages[number - 1], messages[number + 1 : number + 2]
        last = blocks_of(before)[-1:]
        built_in = bool(last) and str(last[0]["type"]).endswith("_tool_result")
        if before["role"] != "user" and not (before["role"] == "assistant" and built_in):
            raise refused(f"messages.{number}.role", "a `system` message must follow a `user` one")
        if after and after[0]["role"] != "assistant":
            raise refused(f"messages.{number}.role", "a `system` message must be the last one or "
                          "stand before an `assistant` one")  # fmt: skip


def _check_partner(block: dict[str, Any], role: str, param: str) -> None:
    kind = block["type"]
    if role != _PARTNERS[kind]:
        raise refused(param, f"`{kind}` blocks can only be in `{_PARTNERS[kind]}` messages")
    _check_names(block, ("tool_use_id",) if kind == "tool_result" else ("id", "name"), param)
    if kind != "tool_result" and not isinstance(block.get("input"), dict):
        problem = "Input should be a valid dictionary" if "input" in block else "Field required"
        raise refused(f"{param}.{kind}.input", problem)


def _check_names(block: dict[str, Any], names: tuple[str, ...], param: str) -> None:
    for name in names:
        if name not in block:
            raise refused(f"{param}.{block['type']}.{name}", "Field required")
        if not isinstance(block[name], str):
            raise refused(f"{param}.{block['type']}.{name}", "Input should be a valid string")


def _check_results(messages: list[Message]) -> None:
    used, at, seen = dict[str, bool](), 0, set[str]()
    for role, turn in _turns(messages):
        if role == "user":
            _check_turn(turn, used, at)
            used = {}
            continue
        for at, param, block in turn:  # noqa: B007 - the last one is where the turn ends
            if block["type"] != "tool_use":
                continue
            if block["id"] in seen:
                raise refused(param, "`tool_use` ids must be unique")
            seen.add(block["id"])
            used[block["id"]] = False
    _check_used(used, at)


Turn = list[tuple[int, str, dict[str, Any]]]
"""Blocks, each with the number of its message and where it stands."""


def _turns(messages: list[Message]) -> Iterator[tuple[str, Turn]]:
    role, turn = "user", Turn()
    for number, message in enumerate(messages):
        speaker = "assistant" if message["role"] == "assistant" else "user"
        if speaker != role:
            yield role, turn
            role, turn = speaker, []
        content = message["content"]
        blocks = [{"type": "text"}] if isinstance(content, str) else content
        turn.extend(
            (number, f"messages.{number}.content.{at}", block) for at, block in enumerate(blocks)
        )
    yield role, turn


def _check_turn(turn: Turn, used: dict[str, bool], at: int) -> None:
    """Check the results of a user's turn.

    Args:
        turn: The turn.
        used: The tools that the turn before has used, and whether each has its result; changed.
        at: Number of the message that has used them.
    """
    first = True
    for _, param, block in turn:
        if block["type"] != "tool_result":
            first = False
            continue
        identity = block["tool_use_id"]
        if identity not in used:
            raise refused(
                param,
                f"unexpected `tool_use_id` found in `tool_result` blocks: {identity}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous "
                "message.",
            )
        if used[identity]:
            raise refused(param, "each tool_use must have a single result. Found multiple "
                          f"`tool_result` blocks with id: {identity}")  # fmt: skip
        used[identity] = first
    _check_used(used, at)


def _check_used(used: dict[str, bool], at: int) -> None:
    missing = [identity for identity, answered in used.items() if not answered]
    if missing:
        raise refused(
            f"messages.{at}",
            "`tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` "
            "block in the next message.",
        )


def _check_server_tools(messages: list[Message]) -> None:
    """Refuse uses of server tools without a result, and results without a use.

    A use may wait for its result while the assistant's turn is open: it is the last one, or the
    user has answered it with results of client tools alone. One whose code has called a client
    tool waits as long as that code runs.
    """
    waiting, calling = dict[str, tuple[int, str]](), set[str]()
    used, turns = set[str](), list(_turns(messages))
    for role, turn in turns:
        for at, param, block in turn if role == "assistant" else ():
            kind, caller = block["type"], block.get("caller")
            if kind == "server_tool_use":
                waiting[block["id"]] = at, block["name"]
                used.add(block["id"])
            elif kind in _SERVER_RESULTS:
                _check_used_before(block, used, param)
                waiting.pop(block["tool_use_id"], None)
            elif isinstance(caller, dict):
                calling.add(str(caller.get("tool_id")))
    last = turns[-1]
    if last[0] == "assistant" or all(block["type"] == "tool_result" for *_, block in last[1]):
        starts = [turn[0][0] for role, turn in turns if turn and role == "assistant"]
        open_from = starts[-1] if starts else 0
        waiting = {name: use for name, use in waiting.items() if use[0] < open_from}
    for identity, (at, name) in waiting.items():
        if identity not in calling:
            raise refused(f"messages.{at}", f"`{name}` tool use with id `{identity}` was found "
                          f"without a corresponding `{result_type(name)}` block")  # fmt: skip


def _check_used_before(block: dict[str, Any], used: set[str], param: str) -> None:
    kind, identity = block["type"], block["tool_use_id"]
    if identity not in used:
        raise refused(param, f"unexpected `tool_use_id` found in `{kind}` blocks: {identity}. Each "
                      f"`{kind}` block must have a corresponding `server_tool_use` block before "
                      "it.")  # fmt: skip
