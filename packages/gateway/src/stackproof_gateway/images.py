"""Images: pictures of one colour, in the size that is asked for, as data or at an address.

Source: OpenAI API reference, "Images" and "Image streaming".
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from stackproof_gateway.bodies import MEBIBYTE, is_form
from stackproof_gateway.call import Answer, Call
from stackproof_gateway.delivery import EventStream, plain
from stackproof_gateway.encoding import Closing, event, to_bytes
from stackproof_gateway.errors import ProviderError, not_found
from stackproof_gateway.files import int_or
from stackproof_gateway.forms import read_form
from stackproof_gateway.generation import BROKEN_STREAM, consult, fault_pacing, openai_error_event
from stackproof_gateway.image_requests import KNOWN_FIELDS, Wanted, read_wanted
from stackproof_gateway.pictures import is_picture, png
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.requests import parse_body, unknown_fields
from stackproof_gateway.scripts import AT_ONCE

DEFAULT_MODEL = "dall-e-2"
LARGEST_IMAGE = 50 * MEBIBYTE
TOKENS = {"low": 272, "medium": 1056, "high": 4160}
"""Tokens of a square image, by quality; OpenAI's guide "Image generation", cost."""

MOST_TOKENS = 4160


async def generate(call: Call) -> Response:
    """Make images of a prompt."""
    body = parse_body(call.data)
    return await _made(call, body, "image_generation")


def changer(*, prompted: bool) -> Answer:
    """The answer of an endpoint that changes an image.

    Args:
        prompted: Whether a prompt says how.
    """

    async def answer(call: Call) -> Response:
        if not is_form(call.request):
            message = (
                "This gateway reads images to be changed from multipart/form-data alone, as "
                "OpenAI's SDK sends them. Send the files instead of an `image_url` or a `file_id` "
                "in JSON."
            )
            raise ProviderError(400, message, code="unsupported_content_type")
        form = await read_form(call)
        body: dict[str, Any] = {}
        for name in set(form.names()) & KNOWN_FIELDS - {"image", "mask", "markup"}:
            text = form.text(name) or ""
            body[name] = int_or(text) if name in {"n", "partial_images"} else text
        if "stream" in body:
            body["stream"] = body["stream"] == "true"
        images = form.files("image[]" if form.has("image[]") else "image", LARGEST_IMAGE)
        for number, image in enumerate(images, 1):
            if not is_picture(next(image.contents.pieces(), b"")):
                raise ProviderError(
                    400,
                    f"Invalid image file or mode for image {number}, please check your image file.",
                    param="image",
                    code="invalid_image_file",
                )
        return await _made(call, body, "image_edit", prompted=prompted)

    return answer


async def _made(call: Call, body: dict[str, Any], kind: str, *, prompted: bool = True) -> Response:
    """The answer to a request for images.

    Args:
        call: The call.
        body: The fields of the request.
        kind: What the events of a stream are called.
        prompted: Whether a prompt says what is wanted.
    """
    call.entry.model = str(body.get("model") or DEFAULT_MODEL)
    call.entry.unknown_fields = unknown_fields(body, KNOWN_FIELDS)
    call.check_model()
    wanted = read_wanted(body, call.entry.model, prompted=prompted)
    call.entry.streamed = wanted.stream
    pacing = await fault_pacing(call, stream=wanted.stream)
    asked = Prompt(call.entry.model, call.entry.path, last=wanted.prompt)
    scripted = None if pacing else await consult(call, asked)
    pacing = pacing or (scripted.pacing if scripted else AT_ONCE)
    call.entry.reply = f"{wanted.count} images of {wanted.size}"
    usage = _usage(wanted)
    if wanted.gpt:
        call.entry.usage = {"prompt_tokens": usage["input_tokens"],
                            "completion_tokens": usage["output_tokens"],
                            "total_tokens": usage["total_tokens"]}  # fmt: skip
    pictures = [_picture(wanted, number) for number in range(wanted.count)]
    if wanted.stream:
        call.entry.client_closed = True
        failed = openai_error_event(BROKEN_STREAM)
        events = _events(call, wanted, pictures[0], kind)
        return EventStream(events, pacing, failed, call.stream_done)
    value: dict[str, Any] = {
        "created": call.created,
        "data": [_told(call, wanted, picture) for picture in pictures],
    }
    if wanted.gpt:
        value |= {**_form(wanted), "usage": usage}
    return plain(to_bytes(value), pacing)


def _picture(wanted: Wanted, number: int) -> bytes:
    seed = f"{number} {wanted.prompt}"
    return png(wanted.width, wanted.height, seed, transparent=wanted.transparent)


def _told(call: Call, wanted: Wanted, picture: bytes) -> dict[str, Any]:
    """An image as the API tells it."""
    if not wanted.as_url:
        return {"b64_json": base64.b64encode(picture).decode()}
    name = call.namespace.next_id("img-") + ".png"
    call.namespace.shelf.pictures[name] = picture
    host = call.headers.get("host", "localhost")
    where = f"{call.request.scope['scheme']}://{host}/t/{call.namespace.name}/v1/images/{name}"
    revised = {"revised_prompt": wanted.prompt} if call.entry.model.startswith("dall-e-3") else {}
    return {"url": where, **revised}


def _form(wanted: Wanted) -> dict[str, Any]:
    background = "transparent" if wanted.transparent else "opaque"
    return {"background": background, "output_format": "png", "quality": wanted.quality,
            "size": wanted.size}  # fmt: skip


def _usage(wanted: Wanted) -> dict[str, Any]:
    asked = count_tokens(wanted.prompt)
    drawn = TOKENS.get(wanted.quality, MOST_TOKENS) * wanted.count
    return {
        "input_tokens": asked,
        "input_tokens_details": {"text_tokens": asked, "image_tokens": 0},
        "output_tokens": drawn,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": drawn},
        "total_tokens": asked + drawn,
    }


def _events(call: Call, wanted: Wanted, picture: bytes, kind: str) -> Iterator[bytes]:
    base = {"b64_json": base64.b64encode(picture).decode(), "created_at": call.created,
            **_form(wanted)}  # fmt: skip
    for number in range(wanted.partial):
        name = f"{kind}.partial_image"
        yield event({"type": name, **base, "partial_image_index": number}, name)
    name = f"{kind}.completed"
    yield Closing(event({"type": name, **base, "usage": _usage(wanted)}, name))


async def get_picture(call: Call) -> Response:
    """An image at its address, for everybody who knows it."""
    name = call.request.path_params["picture"]
    picture = call.namespace.shelf.pictures.get(name)
    if picture is None:
        raise not_found("Image", name)
    return Response(picture, media_type="image/png")


PICTURE = "/images/{picture}"
ENDPOINTS = (
    ("POST", "/images/generations", generate),
    ("POST", "/images/edits", changer(prompted=True)),
    ("POST", "/images/variations", changer(prompted=False)),
    ("GET", PICTURE, get_picture),
)
