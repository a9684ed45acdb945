"""The documentation site: Sphinx over the Markdown pages and the docstrings."""

import re
from pathlib import Path

import stackproof

ROOT = Path(__file__).parent.parent

project = "stackproof"
version = release = stackproof.__version__
copyright = "the stackproof authors"  # noqa: A001 - the name that Sphinx reads

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
html_theme = "furo"
html_title = "stackproof"
html_show_sourcelink = False

myst_heading_anchors = 4
autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
napoleon_use_ivar = True


def _leads_outside(link: str) -> str:
    """Links to files beside the docs, which are read in the repository, lose their target."""
    return re.sub(
        r"\[([^\]]+)\]\((?:\.\./)+(?:benchmarks|systems|src|packages|README)[^)]*\)", r"\1", link
    )


def setup(app: object) -> None:
    """Let pages link to files of the repository that are no part of the site."""
    app.connect("source-read", _read)  # type: ignore[attr-defined]


def _read(_app: object, _name: str, source: list[str]) -> None:
    source[0] = _leads_outside(source[0])
