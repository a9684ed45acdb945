"""What OpenAI's built-in tools leave in an answer, as a script says it: searches, MCP, shells.

Source: the types of OpenAI's SDK 3.52, `ResponseOutputItem` and its annotations. The gateway
reaches no web page and no MCP server; a search in its own vector stores is `file_search.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from stackproof_gateway.strict_fields import Fields

Item = dict[str, Any]


@dataclass(frozen=True)
class Form:
    """The form of an item.

    Attributes:
        prefix: What its id begins with.
        needed: What a script must say.
        given: What it has where a script says nothing.
        optional: What it has only if a script says it.
        called: Whether the client answers it, so that it needs a `call_id`.
    """

    prefix: str
    needed: tuple[str, ...] = ()
    given: Item = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    called: bool = False


_DONE = {"status": "completed"}
FORMS = {
    "web_search_call": Form("ws", ("action",), _DONE),
    "file_search_call": Form("fs", ("queries",), {"results": None, **_DONE}),
    "mcp_list_tools": Form("mcpl", ("server_label",), {"tools": [], "error": None}),
    "mcp_call": Form("mcp", ("server_label", "name"), {
        "arguments": "{}", "output": None, "error": None, "approval_request_id": None, **_DONE,
    }),
    "mcp_approval_request": Form("mcpr", ("server_label", "name"), {"arguments": "{}"}),
    "code_interpreter_call": Form(
        "ci", ("code",), {"container_id": "cntr_00000001", "outputs": None, **_DONE}),
    "image_generation_call": Form(
        "ig", ("result",), _DONE,
        ("action", "background", "output_format", "quality", "revised_prompt", "size")),
    "computer_call": Form(
        "cu", (), {"pending_safety_checks": [], **_DONE}, ("action", "actions"), called=True),
    "shell_call": Form("sh", ("action",), {"environment": None, **_DONE}, called=True),
    "local_shell_call": Form("lsh", ("action",), _DONE, called=True),
    "apply_patch_call": Form("apc", ("operation",), _DONE, called=True),
}  # fmt: skip
"""Items that a script can say, by their type."""

_INCLUDED = {
    "web_search_call": ("web_search_call.action.sources", "action", "sources"),
    "file_search_call": ("file_search_call.results", "results", None),
    "code_interpreter_call": ("code_interpreter_call.outputs", "outputs", None),
}
"""What is told only if `include` asks for it: the word, the field, what lies in it."""

_CITATIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "url_citation": (("url",), ("title", "start_index", "end_index")),
    "file_citation": (("file_id",), ("filename", "index")),
    "container_file_citation": (
        ("container_id", "file_id"), ("filename", "start_index", "end_index")),
    "file_path": (("file_id",), ("index",)),
}  # fmt: skip
"""Annotations: what a script must say, and what it may say."""


def read_items(fields: Fields) -> tuple[Item, ...]:
    """The items of a scripted reply.

    Raises:
        ScriptError: If one is not what it should be.
    """
    return tuple(_read_item(item) for item in fields.each("items"))


def _read_item(fields: Fields) -> Item:
    kind = _kind(fields, FORMS)
    form = FORMS[kind]
    item: Item = {"type": kind}
    extra = ("id", *(("call_id",) if form.called else ()))
    for name in (*extra, *form.needed, *form.given, *form.optional):
        given = fields.has(name)
        value = fields.take(name, object, "a value")
        if given:
            item[name] = value
        elif name in form.needed:
            raise fields.error(f"{kind} needs `{name}`")
        elif name in form.given:
            item[name] = form.given[name]
    if not isinstance(item.get("arguments", ""), str):
        item["arguments"] = json.dumps(item["arguments"])
    if kind == "mcp_call" and item["error"] is not None:
        item["status"] = "failed"
    for tool in item["tools"] if kind == "mcp_list_tools" else ():
        tool.setdefault("input_schema", {"type": "object"})
    fields.finish()
    return item


def _kind(fields: Fields, known: dict[str, Any]) -> str:
    kind: str | None = fields.take("type", str, "a type")
    if kind not in known:
        raise fields.error(f"expected a `type`: {', '.join(known)}")
    return kind


def read_annotations(fields: Fields) -> tuple[Item, ...]:
    """The annotations of a scripted reply's text.

    Raises:
        ScriptError: If one is not what it should be.
    """
    return tuple(_read_annotation(one) for one in fields.each("annotations"))


def _read_annotation(fields: Fields) -> Item:
    kind = _kind(fields, _CITATIONS)
    needed, further = _CITATIONS[kind]
    found: Item = {"type": kind}
    for name in (*needed, *further):
        value = fields.count(name, 0) if "index" in name else fields.take(name, str, "a text")
        if value is None and name in needed:
            raise fields.error(f"{kind} needs `{name}`")
        found[name] = value
    fields.finish()
    return found


def placed(annotation: Item, text: str) -> Item:
    """An annotation that says where in a text it stands: all of it, unless a script says more."""
    ends = {"start_index": 0, "end_index": len(text), "index": len(text)}
    return {name: ends.get(name, "") if value is None else value
            for name, value in annotation.items()}  # fmt: skip


def told_item(item: Item, number: str, include: Any) -> Item:
    """An item as an answer has it.

    Args:
        item: The item, as a script or a tool says it.
        number: What its ids come from.
        include: What the request wants to be told.
    """
    form = FORMS[item["type"]]
    told = {"id": f"{form.prefix}_{number}", **item}
    if form.called:
        told.setdefault("call_id", f"call_{number}_{form.prefix}")
    word, name, below = _INCLUDED.get(item["type"], ("", "", None))
    if word and word not in (include or ()):
        if below is None:
            told[name] = None
        elif isinstance(told[name], dict):
            told[name] = {key: value for key, value in told[name].items() if key != below}
    return told
