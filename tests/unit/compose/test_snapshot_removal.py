"""Only images that stackproof has made for a snapshot are removed."""

import pytest
from docker.errors import APIError

from stackproof.engines.compose.labels import SNAPSHOT
from stackproof.engines.compose.snapshot_removal import (
    COMMENT,
    REPOSITORY,
    remove_images,
    remove_unfinished,
)

OWN = f"{REPOSITORY}/shop-db:1"


class Images:
    """Images of a Docker Engine that has nothing else; stands in for a client and its parts."""

    def __init__(self, *images):
        self.known = {f"sha256:{number}": image for number, image in enumerate(images)}
        self.api = self.images = self
        self.removed = []

    def __call__(self, **_filters):
        return [{"Id": key, "Labels": one["labels"]} for key, one in self.known.items()]

    def get(self, name):
        one = self.known[name]
        attrs = {"Id": name, "RepoTags": one["tags"], "Comment": one["comment"]}
        return type("Image", (), {"attrs": attrs})

    def remove_image(self, name):
        if "used" in name:
            raise APIError("conflict", explanation=f"{name} is in use")
        self.removed.append(name)


def image(*tags, comment=COMMENT, entry="/cache/shop-1"):
    return {"tags": list(tags), "comment": comment, "labels": {SNAPSHOT: entry}}


def test_its_names_are_removed():
    client = Images(image(OWN))
    assert remove_images(client, "/cache/shop-1") == []
    assert client.removed == [OWN]


def test_one_without_a_name_is_removed_by_its_id():
    client = Images(image())
    remove_images(client, "/cache/shop-1")
    assert client.removed == ["sha256:0"]


def test_an_image_that_somebody_derived_inherits_the_label_and_stays():
    client = Images(image("mine:1", comment=""), image(comment="by hand"))
    remove_images(client, "/cache/shop-1")
    assert client.removed == []


def test_a_name_that_somebody_else_gave_stays():
    client = Images(image(OWN, "mine:1"), image("mine:2"))
    remove_images(client, "/cache/shop-1")
    assert client.removed == [OWN]


def test_one_in_use_is_told():
    client = Images(image(f"{REPOSITORY}/used:1"))
    assert remove_images(client, "/cache/shop-1") == [f"{REPOSITORY}/used:1 is in use"]


@pytest.mark.parametrize(("is_complete", "removed"), [(False, [OWN]), (True, [])])
def test_the_end_of_a_run_removes_images_of_a_snapshot_that_is_not_complete(
    tmp_path, is_complete, removed
):
    entry = tmp_path / "shop-1"
    if is_complete:
        entry.mkdir()
    client = Images(image(OWN, entry=str(entry)))
    remove_unfinished(client, "3f2a")
    assert client.removed == removed
