"""An MCP client on the wire: JSON-RPC over streamable HTTP, with nothing hidden."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

TIMEOUT = 30.0  # seconds


class ToolRefusedError(Exception):
    """A tool has answered with an error.

    Attributes:
        code: The code of the error, or "" where it has none.
    """

    def __init__(self, tool: str, content: dict[str, Any]) -> None:
        error = (content.get("structuredContent") or {}).get("error", {})
        self.code: str = error.get("code", "")
        said = error.get("message") or content.get("content")
        super().__init__(f"{tool}: {self.code or 'error'}: {said}")


class McpClient:
    """One client of one server.

    Args:
        base_url: Where the server is.
        protocol: Version of the protocol that is offered.
    """

    def __init__(self, base_url: str, protocol: str) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=TIMEOUT)
        self.protocol = protocol
        self._ids = itertools.count(1)

    def initialize(self) -> dict[str, Any]:
        """Shake hands; returns what the server says of itself."""
        about = {"name": "scenarios", "version": "1"}
        offer = {"protocolVersion": self.protocol, "capabilities": {}, "clientInfo": about}
        return self._ask("initialize", offer)

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools by name."""
        return {one["name"]: one for one in self._ask("tools/list", {})["tools"]}

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """What a tool answers.

        Raises:
            ToolRefusedError: If it answers with an error.
        """
        content = self._ask("tools/call", {"name": tool, "arguments": arguments})
        if content.get("isError"):
            raise ToolRefusedError(tool, content)
        answer: dict[str, Any] = content["structuredContent"]
        return answer

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(
            "/mcp/",
            json={"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters},
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": self.protocol,
            },
        )
        told: dict[str, Any] = answer.raise_for_status().json()
        assert "error" not in told, f"{method}: {told['error']}"
        result: dict[str, Any] = told["result"]
        return result
