"""Stands in for a Stable Diffusion server: the same web API, with plain images made at once.

A first path segment other than `sdapi` keeps its callers apart: `/tenant-1/sdapi/v1/txt2img` is
seen in `/tenant-1/journal` only. Two words in a prompt change what happens: with `fail:img2img`
that stage answers 500, and with `hold:img2img` it waits until it is interrupted.
"""

from __future__ import annotations

import argparse
import base64
import json
import struct
import threading
import zlib
from collections import defaultdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

LONGEST_HOLD = 60.0  # seconds; then nobody is waiting any more


class Tenant:
    """What is known of the callers of one first path segment."""

    def __init__(self) -> None:
        self.journal: list[dict[str, Any]] = []
        self.interrupted = threading.Event()


def png(width: int, height: int) -> bytes:
    """A grey image."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + end

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * width) * height
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 1)), chunk(b"IEND", b"")]
    )


def size(image: str) -> tuple[int, int]:
    """Width and height of a PNG in base64."""
    content = base64.b64decode(image, validate=True)
    if not content.startswith(b"\x89PNG"):
        raise ValueError("this is no PNG image")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def answer(stage: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the real server would answer, as far as clients look at it."""
    if stage == "extra-single-image":
        factor = asked["upscaling_resize"]
        width, height = (int(side * factor) for side in size(asked["image"]))
        return {"image": base64.b64encode(png(width, height)).decode(), "html_info": ""}
    if stage == "img2img" and not [size(image) for image in asked["init_images"]]:
        raise ValueError("there is no image to work on")
    image = base64.b64encode(png(asked["width"], asked["height"])).decode()
    return {"images": [image], "parameters": asked, "info": "{}"}


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    tenants: ClassVar[defaultdict[str, Tenant]] = defaultdict(Tenant)

    def do_GET(self) -> None:
        tenant, path = self._place()
        if path == "/health":
            self._send({"status": "ok"})
        elif path == "/journal":
            self._send({"requests": tenant.journal})
        else:
            self._send({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        tenant, path = self._place()
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        stage = path.removeprefix("/sdapi/v1/")
        if stage == "interrupt":
            tenant.journal.append({"stage": stage, "payload": asked})
            tenant.interrupted.set()
            self._send({})
        elif stage in {"txt2img", "img2img", "extra-single-image"}:
            self._make(tenant, stage, asked)
        else:
            self._send({"detail": "Not Found"}, HTTPStatus.NOT_FOUND)

    def _make(self, tenant: Tenant, stage: str, asked: dict[str, Any]) -> None:
        tenant.interrupted.clear()
        tenant.journal.append({"stage": stage, "payload": asked})
        prompt = asked.get("prompt", "")
        if f"fail:{stage}" in prompt:
            error = {"error": "OutOfMemoryError", "detail": "", "errors": "out of memory"}
            self._send(error, HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        if f"hold:{stage}" in prompt:
            tenant.interrupted.wait(LONGEST_HOLD)
        try:
            self._send(answer(stage, asked))
        except (KeyError, TypeError, ValueError) as error:
            self._send({"detail": repr(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)

    def _place(self) -> tuple[Tenant, str]:
        first, slash, rest = self.path.removeprefix("/").partition("/")
        if not slash or first == "sdapi":
            return self.tenants[""], self.path
        return self.tenants[first], f"/{rest}"

    def _send(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7860)
    options = parser.parse_args()
    with ThreadingHTTPServer((options.host, options.port), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
