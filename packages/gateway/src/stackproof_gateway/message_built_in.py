"""Uses of Anthropic's own tools and of MCP servers, as blocks of an answer.

Nothing is searched, run or fetched: a script says what came out. A tool that a request forces and
no script uses is `unavailable`. Source: the types of Anthropic's SDK 2.14.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from stackproof_gateway.replies import BuiltInUse
from stackproof_gateway.sealing import sealed

Block = dict[str, Any]


def built_in_blocks(uses: Sequence[BuiltInUse], number: int) -> Iterator[Block]:
    """Each use and its result.

    Args:
        uses: The uses.
        number: Number of the call in its namespace; ids come from it.
    """
    for at, use in enumerate(uses):
        if use.server:
            yield from _of_server(use, f"mcptoolu_{number:08d}_{at}")
            continue
        identity = f"srvtoolu_{number:08d}_{at}"
        kind = result_type(use.name)
        content = _error(kind, use.error) if use.error else _content(use)
        yield {"type": "server_tool_use", "id": identity, "name": use.name, "input": use.input}
        yield {"type": kind, "tool_use_id": identity, "content": content}


def tool_counts(uses: Sequence[BuiltInUse]) -> dict[str, int] | None:
    """What the usage tells of them; None where nothing is counted."""
    own = [use.name for use in uses if not use.server]
    counts = {f"{name}_requests": own.count(name) for name in ("web_search", "web_fetch")}
    return counts if any(counts.values()) else None


def _of_server(use: BuiltInUse, identity: str) -> Iterator[Block]:
    said = use.error or use.result
    content = [{"type": "text", "text": said}] if isinstance(said, str) else said
    yield {"type": "mcp_tool_use", "id": identity, "name": use.name, "server_name": use.server,
           "input": use.input}  # fmt: skip
    yield {"type": "mcp_tool_result", "tool_use_id": identity, "is_error": bool(use.error),
           "content": content}  # fmt: skip


def result_type(name: str) -> str:
    """The type of the block that holds the result of a server tool."""
    return f"{'tool_search' if name.startswith('tool_search') else name}_tool_result"


def _error(kind: str, code: str) -> Block:
    more = {"error_message": None} if kind.startswith("t") else {}
    return {"type": f"{kind}_error", "error_code": code, **more}


def _content(use: BuiltInUse) -> Any:
    """A result in the provider's form, from the short one that a script may give."""
    result = use.result
    if use.name == "web_search":
        return [_found(item) for item in result] if isinstance(result, list) else result
    if use.name in ("code_execution", "bash_code_execution"):
        given = {"stdout": result} if isinstance(result, str) else result
        return {"type": f"{use.name}_result", "stdout": "", "stderr": "", "return_code": 0,
                "content": [], **given}  # fmt: skip
    if use.name == "web_fetch" and isinstance(result, str):
        return _fetched(result, str(use.input.get("url", "")))
    if use.name.startswith("tool_search") and isinstance(result, list):
        names = [{"type": "tool_reference", "tool_name": name} for name in result]
        return {"type": "tool_search_tool_search_result", "tool_references": names}
    return result


def _found(item: Block) -> Block:
    url = str(item.get("url", ""))
    return {"type": "web_search_result", "title": url, "url": url, "page_age": None,
            "encrypted_content": sealed(url, "web_search_result"), **item}  # fmt: skip


def _fetched(text: str, url: str) -> Block:
    source = {"type": "text", "media_type": "text/plain", "data": text}
    document = {"type": "document", "source": source, "title": None, "citations": None}
    return {"type": "web_fetch_result", "url": url, "retrieved_at": None, "content": document}
