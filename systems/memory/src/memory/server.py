"""The MCP server, the same for both transports."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
from anyio import to_thread
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from memory import tools
from memory.refusals import InvalidCallError, ToolFailedError
from memory.service import Service

INSTRUCTIONS = (
    "Ask models of several providers; they share sessions, files and what was said before."
)


def make_server(service: Service) -> Server[Any]:
    """The server of a service.

    Args:
        service: Answers its calls.
    """

    async def list_tools(
        _: ServerRequestContext[Any], __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(name=tool.name, description=tool.description, input_schema=tool.schema)
                for tool in tools.offered().values()
            ]
        )

    async def call_tool(
        _: ServerRequestContext[Any], asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        try:
            content = await to_thread.run_sync(service.call, asked.name, asked.arguments or {})
        except InvalidCallError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from error
        except ToolFailedError as failure:
            return _result({"error": failure.told()}, is_error=True)
        return _result(content)

    return Server(
        "memory", instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )


def _result(content: dict[str, Any], *, is_error: bool = False) -> types.CallToolResult:
    text = types.TextContent(type="text", text=json.dumps(content))
    return types.CallToolResult(content=[text], structured_content=content, is_error=is_error)
