"""What uses the memory stack: a client over HTTP, and agents whose servers are their children."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

PROTOCOL = "2025-06-18"
PATIENCE = 240.0  # seconds; generous, since only a broken system needs them
GPT, O4 = "chat_with_gpt_4_1_mini", "chat_with_o4_mini"
GEMINI, CLAUDE = "chat_with_gemini_2_5_flash", "chat_with_claude_sonnet_4_5"


class RefusedError(Exception):
    """The protocol has refused a call: it names no tool, or its arguments are wrong."""


class FailedError(Exception):
    """A tool has answered with an error.

    Attributes:
        told: What it tells of the error.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        super().__init__(f"{told['code']}: {told['message']}")


class Agent(Protocol):
    """Somebody who calls tools."""

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """What a tool answers.

        Raises:
            RefusedError: If the call is refused.
            FailedError: If the tool answers with an error.
        """


class HttpAgent:
    """A client of the server over streamable HTTP.

    Args:
        base_url: Where the server is.
    """

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=PATIENCE)
        self._ids = itertools.count(1)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol.

        Raises:
            RefusedError: If it is refused.
        """
        answer = self._http.post(
            "/mcp/",
            json={"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters},
            headers={
                "Accept": "application/json, text/event-stream",
                "MCP-Protocol-Version": PROTOCOL,
            },
        )
        told = answer.raise_for_status().json()
        if "error" in told:
            raise RefusedError(told["error"]["message"])
        result: dict[str, Any] = told["result"]
        return result

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """What a tool answers."""
        result = self.ask("tools/call", name=tool, arguments=arguments)
        return _content(result["structuredContent"], is_error=result["isError"])

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


@dataclass
class StdioAgent:
    """A client of the runner, whose server is a child of it.

    Attributes:
        base_url: Where the runner is.
        home: Name of its home.
        client: Its name among those of the home.
        starts: How often its server had been started when it answered last.
    """

    base_url: str
    home: str = "first"
    client: str = "first"
    starts: int = 0

    def call(self, tool: str, /, **arguments: Any) -> dict[str, Any]:
        """What a tool answers."""
        path = f"/homes/{self.home}/clients/{self.client}/tools/{tool}"
        answer = httpx.post(f"{self.base_url}{path}", json=arguments, timeout=PATIENCE)
        told = answer.json()
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise RefusedError(told["message"])
        answer.raise_for_status()
        self.starts = told["starts"]
        return _content(told["content"], is_error=told["is_error"])


def _content(content: dict[str, Any], *, is_error: bool) -> dict[str, Any]:
    if is_error:
        raise FailedError(content["error"])
    return content


WRITE = """\
import json, os, pathlib, sys
for name, text in json.load(sys.stdin).items():
    path = pathlib.Path(os.environ["MEMORY_FILES"], name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True) if text is None else path.write_text(text)
"""


@dataclass
class Project:
    """The project that the models are asked about: its files, and its user.

    Attributes:
        stack: The stack.
        agent: Calls the tools.
    """

    stack: Any
    agent: Agent

    def write(self, **files: str | None) -> None:
        """Write files; `notes__apple` is `notes/apple.md`, and None deletes one."""
        named = {f"{name.replace('__', '/')}.md": text for name, text in files.items()}
        done = self.stack.service("server").exec(["python", "-c", WRITE], stdin=json.dumps(named))
        assert done.exit_code == 0, done.stderr

    def ask(
        self, instructions: str, *, session: str, tool: str = GPT, **more: Any
    ) -> dict[str, Any]:
        """Ask a model."""
        return self.agent.call(
            tool, instructions=instructions, output_format="one line", session_id=session, **more
        )

    def found(self, query: str) -> list[dict[str, Any]]:
        """What the project remembers."""
        results: list[dict[str, Any]] = self.agent.call("search_project_history", query=query)[
            "results"
        ]
        return results

    def wait_for_summaries(self, session: str, count: int) -> list[dict[str, Any]]:
        """Wait until all summaries of a session are stored."""
        found: dict[str, Any] = self.stack.wait_until(
            lambda: self.agent.call("describe_session", session_id=session),
            until=lambda told: [one["state"] for one in told["summaries"]] == ["stored"] * count,
            timeout=PATIENCE,
            retry_on=(httpx.TransportError,),
            what=f"{count} summaries of {session} are stored",
        )
        summaries: list[dict[str, Any]] = found["summaries"]
        return summaries
