"""Every link of a page leads somewhere."""

import re

import pytest
from tests.docs.pages import ROOT, anchors, links, pages

PAGES = [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_or_heading_leads_there(page):
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_of_the_docs_is_linked_from_another():
    reached = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in pages()
        for link in links(page)
        if not re.match(r"[a-z]+:", link)
    }
    lonely = [
        page
        for page in (ROOT / "docs").rglob("*.md")
        if page.resolve() not in reached and page.name != "index.md"
    ]
    assert lonely == []
