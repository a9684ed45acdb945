"""The report: one HTML page with a section for each step."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from markdown_it import MarkdownIt

from plans.pipeline import Step, pipeline

STYLE = """\
body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; }
nav { background: #f4f4f4; padding: 1em; } section { border-top: 1px solid #ccc; }"""


def render(prompt: str, sections: Mapping[str, str]) -> str:
    """The report of a plan.

    Args:
        prompt: What the user has asked for.
        sections: The Markdown of each step, by its name.
    """
    steps = pipeline().steps
    links = "\n".join(f'<li><a href="#{one.name}">{escape(one.title)}</a></li>' for one in steps)
    parts = "\n".join(_section(one, sections[one.name]) for one in steps)
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plan</title>
<style>
{STYLE}
</style>
</head>
<body>
<h1>Plan</h1>
<blockquote>{escape(prompt)}</blockquote>
<nav><ol>
{links}
</ol></nav>
{parts}
</body>
</html>
"""


def _section(step: Step, text: str) -> str:
    body = MarkdownIt("commonmark", {"html": False}).render(text)
    return f'<section id="{step.name}">\n<h2>{escape(step.title)}</h2>\n{body}</section>'
