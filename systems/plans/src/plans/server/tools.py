"""The MCP tools."""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, TextContent
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from plans import requests
from plans.database import AWAY, sessions
from plans.models import ExamplePrompt
from plans.pipeline import profiles
from plans.records import now_of
from plans.requests import Refused
from plans.server import answers
from plans.server.links import ARTIFACTS, link_to
from plans.settings import settings

MOST_LISTED = 50
PROFILES = tuple(profiles().by_name)

PlanId = Annotated[str, Field(description="The plan_id that plan_create has given.")]
ModelProfile = Annotated[
    str | None,
    Field(description="Which models work on it.", json_schema_extra={"enum": [*PROFILES, None]}),
]

log = logging.getLogger(__name__)
mcp = MCPServer("plans", instructions="Create a plan, look at its status, download its report.")


def _answered(work: Callable[[Session], dict[str, Any]]) -> CallToolResult:
    """Do something in a transaction and wrap what it says, or why it was refused."""
    try:
        with sessions().begin() as session:
            return _result(work(session))
    except Refused as refused:
        return _error(refused.code, refused.message)
    except AWAY as error:
        log.warning("the database is away: %s", error.orig)
        return _error("SERVICE_UNAVAILABLE", "the database is away; try again")


def _result(content: dict[str, Any], *, is_error: bool = False) -> CallToolResult:
    text = TextContent(type="text", text=json.dumps(content))
    return CallToolResult(content=[text], structured_content=content, is_error=is_error)


def _error(code: str, message: str) -> CallToolResult:
    return _result({"error": {"code": code, "message": message}}, is_error=True)


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise Refused("PLAN_NOT_FOUND", f"there is no plan {text!r}") from None


@mcp.tool()
def example_prompts() -> CallToolResult:
    """Prompts to begin with."""

    def work(session: Session) -> dict[str, Any]:
        found = session.scalars(select(ExamplePrompt.prompt).order_by(ExamplePrompt.position))
        return {"samples": list(found), "message": "Change one to what you need."}

    return _answered(work)


@mcp.tool()
def model_profiles() -> CallToolResult:
    """The model profiles that a plan can be made with."""
    known = profiles()
    if not known.by_name:
        return _error("MODEL_PROFILES_UNAVAILABLE", "this server knows no model profile")
    told = [
        {
            "profile": one.name,
            "title": one.title,
            "summary": one.summary,
            "model_count": len(one.models),
            "models": [vars(model) for model in one.models],
        }
        for one in known.by_name.values()
    ]
    return _result({"default_profile": known.default, "profiles": told})


@mcp.tool()
def plan_create(
    ctx: Context[Any, Any],
    prompt: Annotated[str, Field(description="What the plan is for.")],
    model_profile: ModelProfile = None,
    start_date: Annotated[str | None, Field(description="When it begins, as 2026-11-21.")] = None,
) -> CallToolResult:
    """Begin a plan; the answer comes at once, the work is done by a worker."""

    def work(session: Session) -> dict[str, Any]:
        plan = requests.create(session, prompt, model_profile=model_profile, start_date=start_date)
        return {
            "plan_id": str(plan.id),
            "created_at": answers.moment(plan.timestamp_created),
            "sse_url": f"{_base(ctx)}/sse/plan/{plan.id}",
        }

    return _answered(work)


@mcp.tool()
def plan_status(plan_id: PlanId) -> CallToolResult:
    """How far a plan is, and why it has failed if it has."""
    return _answered(lambda session: answers.status(session, requests.find(session, _id(plan_id))))


@mcp.tool()
def plan_stop(plan_id: PlanId) -> CallToolResult:
    """Ask for the end of a plan. What its worker is doing is finished first and kept."""

    def work(session: Session) -> dict[str, Any]:
        plan, is_requested = requests.stop(session, _id(plan_id))
        return {"plan_id": plan_id, "state": plan.state, "stop_requested": is_requested}

    return _answered(work)


@mcp.tool()
def plan_retry(plan_id: PlanId, model_profile: ModelProfile = None) -> CallToolResult:
    """Begin a failed plan anew; nothing of the earlier work is used."""

    def work(session: Session) -> dict[str, Any]:
        plan = requests.retry(session, _id(plan_id), model_profile=model_profile)
        return {
            "plan_id": plan_id,
            "state": plan.state,
            "model_profile": plan.parameters["model_profile"],
            "retried_at": answers.moment(now_of(session)),
        }

    return _answered(work)


@mcp.tool()
def plan_resume(plan_id: PlanId, model_profile: ModelProfile = None) -> CallToolResult:
    """Let a failed or stopped plan go on; what is finished is not done again."""

    def work(session: Session) -> dict[str, Any]:
        plan = requests.resume(session, _id(plan_id), model_profile=model_profile)
        return {
            "plan_id": plan_id,
            "state": plan.state,
            "model_profile": plan.parameters["model_profile"],
            "resume_count": plan.parameters["resume_count"],
            "resumed_at": answers.moment(now_of(session)),
        }

    return _answered(work)


@mcp.tool()
def plan_file_info(
    ctx: Context[Any, Any],
    plan_id: PlanId,
    artifact: Annotated[
        str, Field(description="Which file.", json_schema_extra={"enum": list(ARTIFACTS)})
    ] = "report",
) -> CallToolResult:
    """Where the report, or the zip of all files, can be downloaded."""

    def work(session: Session) -> dict[str, Any]:
        if artifact not in ARTIFACTS:
            known = ", ".join(ARTIFACTS)
            raise Refused("INVALID_ARGUMENT", f"there is no artifact {artifact!r}; known: {known}")
        plan = requests.find(session, _id(plan_id))
        content = content_of(plan, artifact)
        if content is None:
            return {"ready": False, "reason": f"the plan is {plan.state}"}
        file, content_type = ARTIFACTS[artifact]
        link = link_to(plan.id, file)
        return {
            "content_type": content_type,
            "sha256": hashlib.sha256(content).hexdigest(),
            "download_size": len(content),
            "download_url": f"{_base(ctx)}{link.path}",
            "expires_at": answers.moment(link.expires_at),
        }

    return _answered(work)


@mcp.tool()
def plan_list(
    limit: Annotated[int, Field(description=f"How many, 1 to {MOST_LISTED}.")] = 10,
) -> CallToolResult:
    """The latest plans, the newest first."""

    def work(session: Session) -> dict[str, Any]:
        if not 1 <= limit <= MOST_LISTED:
            raise Refused("INVALID_ARGUMENTS", f"limit is {limit}, not 1 to {MOST_LISTED}")
        return {"plans": [answers.listed(plan) for plan in requests.latest(session, limit)]}

    return _answered(work)


def content_of(plan: Any, artifact: str) -> bytes | None:
    """The bytes of an artifact; None while there is none."""
    if artifact == "zip":
        zipped: bytes | None = plan.run_zip_snapshot
        return zipped
    return None if plan.generated_report_html is None else plan.generated_report_html.encode()


def _base(ctx: Context[Any, Any]) -> str:
    """Where the client reaches this server."""
    if settings().public_url:
        return settings().public_url.rstrip("/")
    request = ctx.request_context.request
    return str(request.base_url).rstrip("/") if request is not None else ""
