"""Recorded answers as YAML that people can read: one file a request, in one folder."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stackproof_gateway.encoding import from_bytes, to_bytes
from stackproof_gateway.provider.changing import Changing, Numbered
from stackproof_gateway.provider.masking import Masker
from stackproof_gateway.provider.requests import RecordedRequest
from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.yaml_files import read_value

KEPT_HEADERS = (
    "content-type", "retry-after", "x-should-retry", "x-goog-upload-chunk-granularity",
    "x-goog-upload-size-received", "x-goog-upload-status",
)  # fmt: skip


@dataclass(frozen=True)
class RecordedReply:
    """An answer of the provider.

    Attributes:
        status: HTTP status.
        headers: The few headers that matter.
        content: Its bytes.
        recorded: When it was recorded, ISO 8601, UTC.
        client: What the client that asked calls itself.
        asker: The namespace that asked, without what makes it unique in a run.
    """

    status: int
    headers: dict[str, str]
    content: bytes = field(repr=False)
    recorded: str = ""
    client: str = ""
    asker: str = ""

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self.headers.get("content-type", "").startswith("text/event-stream")

    def to_yaml(self, masker: Masker) -> dict[str, Any]:
        """Plain values for a cassette, without secrets."""
        about = {"recorded": self.recorded, "client": self.client, "asker": masker.text(self.asker),
                 "status": self.status, "headers": self.headers}  # fmt: skip
        try:
            text = self.content.decode()
        except UnicodeDecodeError:
            return {**about, "base64": base64.b64encode(masker.data(self.content)).decode()}
        if self.is_stream:
            return {**about, "stream": masker.stream(text)}
        try:
            return {**about, "json": masker.value(from_bytes(self.content))}
        except (ValueError, RecursionError):
            return {**about, "text": masker.text(text)}


@dataclass
class Cassette:
    """A request and its answers, in turn.

    Attributes:
        path: The file.
        request: The request.
        replies: Its answers; the last one is given again and again.
    """

    path: Path
    request: RecordedRequest
    replies: list[RecordedReply] = field(default_factory=list)


@dataclass(frozen=True)
class Variant:
    """A cassette, and its request with placeholders for what changes.

    Attributes:
        cassette: The cassette.
        numbered: Its request with placeholders.
    """

    cassette: Cassette
    numbered: Numbered


class Cassettes:
    """All cassettes of a folder.

    Args:
        folder: The folder; it is made when something is recorded.
        masker: Takes secrets out of what is written.
        ignored: Fields of a body that are not compared, beside the usual ones.
        changing: Finds values that differ from run to run.
    """

    def __init__(
        self,
        folder: Path,
        masker: Masker,
        ignored: Iterable[str] = (),
        changing: Changing | None = None,
    ) -> None:
        self.folder = folder
        self.changing = changing or Changing()
        self._masker = masker
        self._ignored = tuple(ignored)
        self._renewed: set[str] = set()
        self._alike: dict[str, dict[str, Variant]] = {}
        self.by_key: dict[str, Cassette] = {}
        for path in sorted(folder.glob("*.yaml")):
            cassette = load_cassette(path)
            self._add(cassette.request.key(self._ignored), cassette)

    def alike(self, request: RecordedRequest) -> list[Variant]:
        """What was recorded of a request but for its changing values, in the order of recording.

        What was recorded of exactly this request is the only one then.
        """
        key = request.key(self._ignored)
        found = self._alike.get(self.numbered(request).request.key(), {})
        if key in found:
            return [found[key]]
        return sorted(found.values(), key=lambda one: one.cassette.replies[0].recorded)

    def numbered(self, request: RecordedRequest) -> Numbered:
        """What is compared of a request, with placeholders for what changes."""
        return self.changing.numbered(request.compared(self._ignored))

    def groups(self) -> list[list[Cassette]]:
        """The cassettes, those together whose requests differ in changing values alone."""
        return [[one.cassette for one in group.values()] for group in self._alike.values()]

    def keep(self, request: RecordedRequest, reply: RecordedReply) -> Path:
        """Write an answer; the first of a run takes the place of older ones."""
        key = request.key(self._ignored)
        if key not in self._renewed:
            replaced = self._outdated(request)
            self._renewed.add(key)
            path = self.folder / _file_name(request, key)
            self._add(key, Cassette(path, request))
            if replaced is not None and replaced != path:
                replaced.unlink(missing_ok=True)
        known = self.by_key[key]
        known.replies.append(reply)
        self._write(known)
        return known.path

    def _add(self, key: str, cassette: Cassette) -> None:
        numbered = self.numbered(cassette.request)
        self.by_key[key] = cassette
        group = self._alike.setdefault(numbered.request.key(), {})
        group[key] = Variant(cassette, numbered)

    def _outdated(self, request: RecordedRequest) -> Path | None:
        """Forget the recording of an earlier run that a request takes the place of."""
        key = request.key(self._ignored)
        group = self._alike.get(self.numbered(request).request.key(), {})
        old = next((k for k in (key, *group) if k in group and k not in self._renewed), None)
        if old is None:
            return None
        del group[old]
        return self.by_key.pop(old).path

    def _write(self, cassette: Cassette) -> None:
        value = {
            "request": cassette.request.to_yaml(),
            "replies": [reply.to_yaml(self._masker) for reply in cassette.replies],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = cassette.path.with_suffix(".new")
        fresh.write_text(to_text(value))
        fresh.replace(cassette.path)


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _as_block(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _as_block)


def to_text(value: Any) -> str:
    """A value as readable YAML."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _file_name(request: RecordedRequest, key: str) -> str:
    words = f"{request.path.removeprefix('/v1/')}-{request.model}"
    return re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-")[:80] + f"-{key[:8]}.yaml"


def load_cassette(path: Path) -> Cassette:
    """A cassette from its file.

    Raises:
        ScriptError: If it is not what it should be.
    """
    fields = Fields(read_value(path) or {}, (), {}, str(path))
    about = fields.below("request")
    request = RecordedRequest(
        about.take("method", str, "an HTTP method") or "POST",
        about.take("path", str, "a path") or "",
        about.take("body", object, "any value"),
    )
    about.finish()
    replies = [_reply(given) for given in fields.each("replies")]
    fields.finish()
    if not replies:
        raise fields.error("there are no replies")
    return Cassette(path, request, replies)


def _reply(fields: Fields) -> RecordedReply:
    reply = RecordedReply(
        status=fields.count("status", 100) or 200,
        headers=fields.take("headers", dict, "headers") or {},
        content=_content(fields),
        recorded=str(fields.take("recorded", object, "a time") or ""),
        client=fields.take("client", str, "a text") or "",
        asker=fields.take("asker", str, "a text") or "",
    )
    fields.finish()
    return reply


def _content(fields: Fields) -> bytes:
    stream = fields.take("stream", str, "a text")
    text = fields.take("text", str, "a text")
    packed = fields.take("base64", str, "a text")
    value = fields.take("json", object, "any value")
    if packed is not None:
        return base64.b64decode(packed)
    if fields.has("json"):
        return to_bytes(value)
    return (stream or text or "").encode()
