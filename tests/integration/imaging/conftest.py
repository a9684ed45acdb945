"""The application, with a stand-in for the image API and with a real HTTP server."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.imaging.support import (
    DONE_WITHIN,
    StubApi,
    image_api_stack,
)

from imaging.application import Application, opened
from imaging.client import ApiClient


@pytest.fixture
def stub():
    return StubApi()


@pytest.fixture
def application(tmp_path, stub) -> Iterator[Application]:
    """The application as its user has it: jobs run in the background."""
    with opened(tmp_path / "history.db", tmp_path / "outputs", stub) as made:
        yield made


@pytest.fixture
def driven(tmp_path, stub) -> Iterator[Application]:
    """The application without a thread of its own; the test says when jobs run."""
    with opened(tmp_path / "history.db", tmp_path / "outputs", stub, background=False) as made:
        yield made


@pytest.fixture(scope="module")
def image_api():
    """Address of the HTTP server; when it is taken down, nothing may be left."""
    with (
        tempfile.TemporaryDirectory(prefix="stackproof-test-") as folder,
        image_api_stack(Path(folder)) as stack,
    ):
        yield stack.url("image-api")


@pytest.fixture
def api_url(image_api):
    """An address of this test's own, below that of the server."""
    return f"{image_api}/test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def over_http(tmp_path, api_url) -> Iterator[Application]:
    """The application with its real client."""
    with (
        ApiClient(api_url, timeout=DONE_WITHIN) as client,
        opened(tmp_path / "history.db", tmp_path / "outputs", client) as made,
    ):
        yield made
