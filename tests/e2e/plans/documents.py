"""The report and the zip of a plan, as somebody who has downloaded them reads them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from tests.e2e.plans.expectations import Expectations

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


class Page(HTMLParser):
    """A page whose elements are all closed in their order, and the texts of its headings.

    Args:
        content: The bytes of the page.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.headings: list[str] = []
        text = content.decode()
        assert text.lstrip().lower().startswith("<!doctype html>"), text[:80]
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """An element begins."""
        self.elements[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        if tag == "h2":
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        """A text."""
        if self.open and self.open[-1] == "h2":
            self.headings[-1] += data


def assert_report_is_whole(info: dict[str, Any], content: bytes, expected: Expectations) -> None:
    """The report is valid HTML, has its sections, and is what was announced."""
    _assert_as_announced(info, content)
    assert info["content_type"].startswith("text/html"), info
    page = Page(content)
    for tag in ("html", "head", "title", "body", "h1"):
        assert page.elements[tag] == 1, f"{page.elements[tag]} of <{tag}>"
    assert page.headings == list(expected.steps.values())


def assert_zip_is_whole(info: dict[str, Any], content: bytes, expected: Expectations) -> None:
    """The zip opens, names its pipeline, and has files of every step."""
    _assert_as_announced(info, content)
    assert info["content_type"] == "application/zip", info
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        metadata = json.loads(archive.read(expected.metadata_file))
    assert metadata[expected.version_key] == expected.pipeline_version, metadata
    missing = [step for step in expected.steps if not any(step in name for name in names)]
    assert not missing, f"the zip has no file of {missing}: {names}"


def _assert_as_announced(info: dict[str, Any], content: bytes) -> None:
    assert len(content) == info["download_size"], info
    assert hashlib.sha256(content).hexdigest() == info["sha256"], info
