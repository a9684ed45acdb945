"""The Markdown pages of the repository: their code blocks, links and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "systems", "packages", "benchmarks")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page, relative to the repository.
        line: Where the block begins.
        language: What stands behind the fence.
        text: What it holds.
    """

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that a reader may open."""
    found = [*ROOT.glob("*.md")]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*.md")
    hidden = {".venv", ".nox", "node_modules", "_build"}
    return sorted(path for path in found if not hidden & set(path.parts))


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of some languages, of all pages."""
    return [
        Block(str(page.relative_to(ROOT)), token.map[0] + 1, token.info.strip(), token.content)
        for page in pages()
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8"))
        if token.type == "fence" and token.map and token.info.strip() in languages
    ]


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links."""
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            if child.type == "link_open":
                yield str(child.attrs["href"])


def anchors(page: Path) -> set[str]:
    """The names by which a page's headings are linked, as GitHub makes them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    titles = [after.content for token, after in pairwise(tokens)
              if token.type == "heading_open"]  # fmt: skip
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(text: str) -> Iterator[str]:
    """The commands of a console block: those behind a prompt, or all lines where none has one."""
    lines = text.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    for line in prompted or lines:
        command = re.sub(r"(^|\s+)#.*$", "", line).strip()
        if command:
            yield command
