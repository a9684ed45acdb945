"""Items of the Responses API for the uses of built-in tools that a script says for any provider.

Source: the types of OpenAI's SDK 3.52. The names of the tools are Anthropic's, for which such
scripts were first; `items` of a script says the same in OpenAI's own form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.replies import BuiltInUse

Item = dict[str, Any]


def items_of(uses: Sequence[BuiltInUse]) -> tuple[Item, ...]:
    """The items of some uses.

    Raises:
        ProviderError: If the API has no item for one.
    """
    return tuple(_item(use) for use in uses)


def _item(use: BuiltInUse) -> Item:
    status = "failed" if use.error else "completed"
    if use.server:
        return _of_server(use, status)
    if use.name == "web_search":
        return {"type": "web_search_call", "status": status, "action": _search(use)}
    if use.name == "web_fetch":
        page = {"type": "open_page", "url": use.input.get("url")}
        return {"type": "web_search_call", "status": status, "action": page}
    if use.name.endswith("code_execution") and use.name != "text_editor_code_execution":
        code = use.input.get("code") or use.input.get("command") or ""
        logs = [{"type": "logs", "logs": use.error or _text(use.result)}]
        return {"type": "code_interpreter_call", "status": status, "code": code,
                "container_id": "cntr_00000001", "outputs": logs}  # fmt: skip
    message = (
        f"A script answers with the tool {use.name}, for which Responses has no item. Say `items` "
        "in the form of OpenAI instead of `built_in`."
    )
    raise ProviderError(500, message, kind="server_error", headers=dict(NO_RETRY))


def _of_server(use: BuiltInUse, status: str) -> Item:
    error = {"type": "mcp_tool_execution_error", "content": use.error} if use.error else None
    return {
        "type": "mcp_call",
        "server_label": use.server,
        "name": use.name,
        "arguments": json.dumps(use.input),
        "output": None if use.error else _text(use.result),
        "error": error,
        "approval_request_id": None,
        "status": status,
    }


def _search(use: BuiltInUse) -> Item:
    query = str(use.input.get("query", ""))
    results = use.result if isinstance(use.result, list) else []
    sources = [
        {"type": "url", "url": result["url"]}
        for result in results
        if isinstance(result, dict) and "url" in result
    ]
    return {"type": "search", "query": query, "queries": [query], "sources": sources}


def _text(result: Any) -> str:
    return result if isinstance(result, str) else json.dumps(result)
