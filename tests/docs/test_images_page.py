"""The table of known images says what the code does."""

from tests.docs.pages import ROOT

from stackproof.engines.process.images import native_image
from stackproof.plan.services.known_images import KNOWN_IMAGES


def rows():
    for repository, known in KNOWN_IMAGES.items():
        image = native_image(known.name)
        where = "private world" if known.has_files else "both worlds"
        yield f"| `{repository}` | {image.product} | {known.port} | {where} | {image.sources} |"


def test_each_known_image_is_in_the_table_with_where_it_runs_and_from_what():
    page = (ROOT / "docs/reference/images.md").read_text().splitlines()
    assert [line for line in page if line.startswith("| `")] == list(rows())
