"""The download of reports and zips."""

from __future__ import annotations

import uuid

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from plans.database import sessions
from plans.models import Plan
from plans.server.links import ARTIFACTS, is_valid
from plans.server.tools import content_of

BY_FILE = {file: (artifact, kind) for artifact, (file, kind) in ARTIFACTS.items()}


def download(request: Request) -> Response:
    """The file that a link names."""
    file = request.path_params["file"]
    plan_id: uuid.UUID = request.path_params["plan_id"]
    if file not in BY_FILE:
        return PlainTextResponse(f"there is no file {file}", 404)
    if not is_valid(request.query_params.get("token", ""), plan_id, file):
        return PlainTextResponse("the link is not valid, or not any more", 401)
    artifact, content_type = BY_FILE[file]
    with sessions().begin() as session:
        plan = session.get(Plan, plan_id)
        content = None if plan is None else content_of(plan, artifact)
    if content is None:
        return PlainTextResponse(f"the plan has no {file}", 404)
    headers = {"Content-Disposition": f'attachment; filename="{file}"'}
    return Response(content, media_type=content_type, headers=headers)
