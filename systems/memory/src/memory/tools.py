"""The tools: what they take, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from memory import conversations, history
from memory.chat import Question
from memory.models import BY_NAME, MODELS, Model
from memory.providers import Options
from memory.refusals import InvalidCallError

if TYPE_CHECKING:
    from memory.service import Service

Arguments = Mapping[str, Any]
PATHS = {"type": "array", "items": {"type": "string", "minLength": 1}}
MODEL = {"enum": sorted(BY_NAME), "default": MODELS[0].name}
EFFORTS = ["minimal", "low", "medium", "high"]


@dataclass(frozen=True)
class Tool:
    """A tool of the server.

    Attributes:
        name: Its name.
        description: What it does, for a model that chooses among tools.
        schema: JSON Schema of its arguments.
        call: Does it.
    """

    name: str
    description: str
    schema: dict[str, Any]
    call: Callable[[Service, Arguments], dict[str, Any]]


def call(service: Service, name: str, arguments: Arguments) -> dict[str, Any]:
    """Call a tool; its arguments are checked first.

    Raises:
        InvalidCallError: If there is no such tool, or an argument is missing or wrong.
        ToolFailedError: If it can't answer.
    """
    tool = checked(name, arguments)
    return tool.call(service, arguments)


def checked(name: str, arguments: Arguments) -> Tool:
    """The tool of a name, which takes these arguments.

    Raises:
        InvalidCallError: If there is none, or an argument is missing or wrong.
    """
    tool = offered().get(name)
    if tool is None:
        raise InvalidCallError(f"unknown tool: {name!r}; the tools are {', '.join(offered())}")
    wrong = sorted(Draft202012Validator(tool.schema).iter_errors(dict(arguments)), key=str)
    if wrong:
        told = "; ".join(
            f"{'.'.join(map(str, error.absolute_path)) or 'arguments'}: {error.message}"
            for error in wrong
        )
        raise InvalidCallError(f"{name}: {told}")
    return tool


@cache
def offered() -> dict[str, Tool]:
    """All tools by their names."""
    tools = [*map(_chat_tool, MODELS), *_other_tools()]
    return {tool.name: tool for tool in tools}


def _chat_tool(model: Model) -> Tool:
    properties: dict[str, Any] = {
        "instructions": {"type": "string", "minLength": 1, "description": "The task."},
        "output_format": {"type": "string", "minLength": 1, "description": "Form of the answer."},
        "session_id": {"type": "string", "minLength": 1, "description": "The conversation."},
        "context": PATHS | {"description": "Files and folders; searched where they are too long."},
        "priority_context": PATHS | {"description": "Files that are always read whole."},
        "structured_output_schema": {"type": "object", "description": "JSON Schema of the answer."},
    }
    if model.reasons:
        properties["reasoning_effort"] = {"enum": EFFORTS}
    else:
        properties["temperature"] = {"type": "number", "minimum": 0, "maximum": 2}
    return Tool(
        model.tool,
        f"Ask {model.name} of {model.provider}.",
        _object(properties, "instructions", "output_format", "session_id"),
        lambda service, given: service.chats.ask(model, _question(given)),
    )


def _question(given: Arguments) -> Question:
    options = Options(
        temperature=given.get("temperature"),
        reasoning_effort=given.get("reasoning_effort"),
        schema=given.get("structured_output_schema"),
    )
    return Question(
        instructions=given["instructions"],
        output_format=given["output_format"],
        session=given["session_id"],
        context=given.get("context", ()),
        priority=given.get("priority_context", ()),
        options=options,
    )


def _other_tools() -> list[Tool]:
    text = {"type": "string", "minLength": 1}
    return [
        Tool(
            "search_project_history",
            "Find summaries of earlier conversations by their words.",
            _object(
                {"query": text, "limit": {"type": "integer", "minimum": 1, "maximum": 50}}, "query"
            ),
            lambda service, given: {
                "results": history.search(service.database, given["query"], given.get("limit", 10))
            },
        ),
        Tool(
            "count_project_tokens",
            "Count the tokens of files as a model's provider does.",
            _object({"context": PATHS | {"minItems": 1}, "model": MODEL}, "context"),
            lambda service, given: service.chats.count(
                BY_NAME[given.get("model", MODELS[0].name)], given["context"]
            ),
        ),
        Tool(
            "list_sessions",
            "List the conversations, the latest first.",
            _object({}),
            lambda service, _: {"sessions": conversations.listed(service.database)},
        ),
        Tool(
            "describe_session",
            "Show what was said in a conversation, and its summaries.",
            _object({"session_id": text}, "session_id"),
            lambda service, given: conversations.described(service.database, given["session_id"]),
        ),
        Tool(
            "list_models",
            "List the models and their tools.",
            _object({}),
            lambda service, _: {"models": [_described(service, model) for model in MODELS]},
        ),
        Tool(
            "start_job",
            "Call a tool on its own; poll_job tells what came of it.",
            _object({"tool": text, "arguments": {"type": "object"}}, "tool", "arguments"),
            _start_job,
        ),
        Tool(
            "poll_job",
            "Show how a job is, and its result.",
            _object({"job_id": text}, "job_id"),
            lambda service, given: service.jobs.poll(given["job_id"]),
        ),
        Tool(
            "cancel_job",
            "End a job.",
            _object({"job_id": text}, "job_id"),
            lambda service, given: service.jobs.cancel(given["job_id"]),
        ),
    ]


def _start_job(service: Service, given: Arguments) -> dict[str, Any]:
    if given["tool"] in {"start_job", "poll_job", "cancel_job"}:
        raise InvalidCallError(f"start_job: {given['tool']} can't run as a job")
    checked(given["tool"], given["arguments"])
    return service.jobs.start(given["tool"], given["arguments"])


def _described(service: Service, model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "tool": model.tool,
        "provider": model.provider,
        "budget_tokens": model.budget(service.settings.window_tokens),
    }


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
