"""The gateway against a bare Starlette endpoint on the same server, and what it takes a call."""

from __future__ import annotations

import asyncio
import json
import sys

from benchmarks.peers import aimock, litellm
from benchmarks.serving import Served, chat_request, compare, once, served

LEAST_SHARE = 0.6

BARE = """
import json, sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route
PLAIN, EVENTS = json.loads(sys.argv[2]), [one.encode() for one in json.loads(sys.argv[3])]

async def chat(request):
    body = await request.json()
    if body.get("stream"):
        async def events():
            for one in EVENTS:
                yield one
        return StreamingResponse(events(), media_type="text/event-stream")
    return JSONResponse(PLAIN)

app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="warning", lifespan="off")
"""


def gateway() -> None:
    """A call's processor time and p99 against a bare endpoint, LiteLLM's proxy and aimock."""
    command = [sys.executable, "-m", "stackproof_gateway", "--port", "PORT"]
    with served(command) as ours:
        _against_bare(ours)
        litellm(ours)
        aimock(ours)


def _against_bare(ours: Served) -> None:
    """The floor: an endpoint on the same server that sends the same bytes, and does nothing."""
    plain = asyncio.run(once(ours.port, chat_request(stream=False)))
    events = asyncio.run(once(ours.port, chat_request(stream=True)))
    split = json.dumps([one + "\n\n" for one in events.decode().split("\n\n") if one])
    with served([sys.executable, "-c", BARE, "PORT", plain.decode(), split]) as bare:
        compare(
            {"plain": "gateway-plain", "stream": "gateway-stream"},
            ours, bare, "bare Starlette endpoint, same bytes", share=LEAST_SHARE,
        )  # fmt: skip
