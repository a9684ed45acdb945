"""The built-in tool `file_search`, over the gateway's own vector stores.

Source: OpenAI guide "File search" and the types of its SDK 3.52. The model searches with what the
user said each time it answers the user, and cites the file of the nearest chunk.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.requests import check_count, check_number
from stackproof_gateway.store_filters import read_filter
from stackproof_gateway.store_index import Hit, search

MOST_RESULTS = 50
DEFAULT_RESULTS = 20

Item = dict[str, Any]


def searched(call: Call, body: dict[str, Any], asked: str) -> tuple[Item, ...]:
    """The search of a request that offers the tool, as an item; nothing where it does not search.

    Args:
        call: The call.
        body: The request, whose tools are checked.
        asked: What the user said last; empty where the model answers a tool.

    Raises:
        ProviderError: If the tool's settings are none that the provider takes.
    """
    tools = [tool for tool in body.get("tools") or () if tool["type"] == "file_search"]
    found = [hit for tool in tools for hit in _hits(call, tool, asked)]
    if not tools or not asked or not _may_search(body.get("tool_choice")):
        return ()
    return ({"type": "file_search_call", "queries": [asked], "status": "completed",
             "results": [_result(hit) for hit in found]},)  # fmt: skip


def _may_search(choice: Any) -> bool:
    """Whether the choice of tools leaves the model this one."""
    if not isinstance(choice, dict):
        return bool(choice != "none")
    allowed = choice.get("tools") if choice.get("type") == "allowed_tools" else [choice]
    return any(one.get("type") == "file_search" for one in allowed or ())


def _hits(call: Call, tool: Item, asked: str) -> list[Hit]:
    stores = call.namespace.shelf.stores
    most = check_count(tool, "max_num_results", MOST_RESULTS) or DEFAULT_RESULTS
    ranking = tool.get("ranking_options") or {}
    check_number(ranking, "score_threshold", 0, 1)
    fits = read_filter(tool.get("filters"))
    files = [
        indexed
        for identity in tool["vector_store_ids"]
        for indexed in stores[identity].files.values()
        if fits(indexed.attributes)
    ]
    hits = search(files, [asked], call.request.app.state.concepts, most)
    return [hit for hit in hits if hit.score >= (ranking.get("score_threshold") or 0)]


def _result(hit: Hit) -> Item:
    file = hit.indexed.file
    return {"file_id": file.identity, "filename": file.name, "score": hit.score, "text": hit.text,
            "attributes": hit.indexed.attributes}  # fmt: skip


def citations(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The file that an answer cites: that of the nearest chunk, if it is near at all."""
    results = [result for item in items for result in item["results"] or ()]
    best = max(results, key=lambda result: result["score"], default=None)
    if best is None or best["score"] <= 0:
        return ()
    return ({"type": "file_citation", "file_id": best["file_id"], "filename": best["filename"],
             "index": None},)  # fmt: skip
