"""What a custom tool gets that must be called: a text that fits its grammar."""

from __future__ import annotations

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.faults import NO_RETRY
from stackproof_gateway.pattern_text import text_for
from stackproof_gateway.prompt import Tool


def custom_input(tool: Tool, free: str) -> str:
    """The text that a custom tool gets.

    Args:
        tool: The tool.
        free: What it gets where it has no grammar.

    Raises:
        ProviderError: If the gateway can't make one up.
    """
    if tool.grammar is None:
        return free
    syntax, definition = tool.grammar
    text = text_for(definition, whole=True) if syntax == "regex" else None
    if text is None:
        message = (
            f"The gateway can't make up an input of the tool {tool.name} that fits its grammar "
            f"({syntax}). Script it: tool_calls=[{{'name': '{tool.name}', 'input': ...}}]."
        )
        raise ProviderError(500, message, kind="server_error", headers=NO_RETRY)
    return text
