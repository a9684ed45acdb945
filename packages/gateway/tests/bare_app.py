"""The application without a server around it, which makes many requests cheap."""

import asyncio
import json
from decimal import Decimal
from urllib.parse import unquote

import httpx
from packages.gateway.tests.rig import KEY, MODEL, TOKEN

from stackproof_gateway.app import create_app
from stackproof_gateway.options import Options

HOST = ("host", "localhost:4000")
BEARER = ("authorization", "Bearer sk-any")
WITH_TOKEN = ("x-gateway-token", TOKEN)
BODY = json.dumps(
    {"model": MODEL, "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
).encode()
CHAT = b"/v1/chat/completions"


class App:
    """A gateway, and an event loop to ask it in."""

    def __init__(self, **options):
        self.app = create_app(Options(**{"token": TOKEN, **options}))
        self.runner = asyncio.Runner()
        self.post("/v1/vector_stores", b"{}")

    def post(self, path, data, headers=(), method="POST"):
        """Send a body and give back status and answer."""
        given = {
            "host": "localhost:4000",
            "authorization": "Bearer sk-any",
            "content-type": "application/json",
            "x-gateway-token": TOKEN,
            **dict(headers),
        }
        return self.send(method, path.encode(), list(given.items()), data)

    def send(self, method, raw_path, headers, data=b"", query=b""):
        """Send exactly these bytes as path and these headers, as a server would hand them on.

        The data is sent in chunks if it is a list.
        """
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": unquote(raw_path.decode("latin-1")), "raw_path": raw_path,
            "query_string": query,
            "root_path": "", "scheme": "http", "server": ("x", 80), "client": ("x", 1),
            "headers": [(key.lower().encode(), value.encode()) for key, value in headers],
        }  # fmt: skip
        return self.runner.run(self._call(scope, data))

    async def _call(self, scope, data):
        chunks = data if isinstance(data, list) else [data]
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": number < len(chunks)}
            for number, chunk in enumerate(chunks, 1)
        ][::-1]
        sent = []

        async def receive():
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop()

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


class Spending:
    """A gateway in the mode `live`, and all requests that its provider got."""

    def __init__(self, folder, **options):
        self.app = App(
            llm="live",
            budget_usd=Decimal(10**6),
            openai_key=KEY,
            anthropic_key=KEY,
            gemini_key=KEY,
            ledger=folder / "ledger.json",
            **options,
        )
        self.sent = []
        self.answer = httpx.Response(200, json={"usage": {"prompt_tokens": 1}})
        forwarder = self.app.app.state.mode._forwarder
        forwarder._http = httpx.AsyncClient(transport=httpx.MockTransport(self._provider))

    def _provider(self, request):
        self.sent.append(request)
        return self.answer

    def send(self, method, path, headers, data=BODY, query=b""):
        status, answer = self.app.send(method, path, headers, data, query)
        return status, json.loads(answer or b"null")
