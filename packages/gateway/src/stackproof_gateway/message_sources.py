"""Images and documents in messages to Anthropic: where they come from.

Source: Anthropic's SDK 2.14, `ImageBlockParam` and `DocumentBlockParam`. Users of the API report
the text on media types, the others have its form.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.message_errors import none_of, refused, unknown_tag
from stackproof_gateway.message_files import message_file
from stackproof_gateway.message_turns import Message, blocks_of

_MEDIA = {
    ("image", "base64"): ("image/jpeg", "image/png", "image/gif", "image/webp"),
    ("document", "base64"): ("application/pdf",),
    ("document", "text"): ("text/plain",),
}
_FIELDS = {"base64": "data", "text": "data", "url": "url", "file": "file_id"}
_SOURCES = {
    "image": ("base64", "file", "url"), "document": ("base64", "content", "file", "text", "url"),
}  # fmt: skip


def check_sources(call: Call, messages: list[Message]) -> None:
    """Refuse an image or a document that comes from nowhere.

    Raises:
        ProviderError: With the provider's text.
    """
    for number, message in enumerate(messages):
        for at, block in enumerate(blocks_of(message)):
            param = f"messages.{number}.content.{at}"
            _check_block(call, block, param)
            inner = block.get("content") if block["type"] == "tool_result" else None
            for deep, part in enumerate(inner if isinstance(inner, list) else ()):
                if isinstance(part, dict):
                    _check_block(call, part, f"{param}.tool_result.content.{deep}")


def _check_block(call: Call, block: dict[str, Any], param: str) -> None:
    kind = block.get("type")
    if kind not in _SOURCES:
        return
    source, param = block.get("source"), f"{param}.{kind}.source"
    if not isinstance(source, dict):
        raise refused(param, "Field required" if source is None else "Input should be an object")
    origin = source.get("type")
    if origin not in _SOURCES[kind]:
        raise unknown_tag(param, origin, _SOURCES[kind])
    _check_source(call, source, param, _MEDIA.get((kind, origin)))


def _check_source(
    call: Call, source: dict[str, Any], param: str, media: tuple[str, ...] | None
) -> None:
    origin = source["type"]
    if media is not None and source.get("media_type") not in media:
        raise none_of(f"{param}.{origin}.media_type", media)
    name = _FIELDS.get(origin, "content")
    if source.get(name) is None:
        raise refused(f"{param}.{origin}.{name}", "Field required")
    if origin == "file":
        message_file(call, source["file_id"])
    elif name != "content" and not isinstance(source[name], str):
        raise refused(f"{param}.{origin}.{name}", "Input should be a valid string")
