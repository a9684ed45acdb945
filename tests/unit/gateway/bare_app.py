"""The application without a server around it, which makes many requests cheap."""

import asyncio

from stackproof.gateway.app import create_app
from stackproof.gateway.options import Options


class App:
    """A gateway, and an event loop to ask it in."""

    def __init__(self, **options):
        self.app = create_app(Options(**options))
        self.runner = asyncio.Runner()
        self.post("/v1/vector_stores", b"{}")

    def post(self, path, data, headers=(), method="POST"):
        """Send a body and give back status and answer."""
        given = {"authorization": "Bearer sk-any", "content-type": "application/json",
                 **dict(headers)}  # fmt: skip
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
            "scheme": "http", "server": ("x", 80), "client": ("x", 1),
            "headers": [(key.encode(), value.encode()) for key, value in given.items()],
        }  # fmt: skip
        return self.runner.run(self._call(scope, data))

    async def _call(self, scope, data):
        waiting = [{"type": "http.request", "body": data, "more_body": False}]
        sent = []

        async def receive():
            if not waiting:
                await asyncio.Event().wait()
            return waiting.pop()

        async def send(message):
            sent.append(message)

        await self.app(scope, receive, send)
        return sent[0]["status"], b"".join(one.get("body", b"") for one in sent)
