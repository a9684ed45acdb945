"""Writes the list of the tests that were collected, for whoever runs each in a job of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

OPTION = "--scenario-list"


def add_options(parser: pytest.Parser) -> None:
    """Add the option that names the file."""
    parser.getgroup("stackproof").addoption(
        OPTION,
        type=Path,
        metavar="FILE",
        help="write the collected tests to this file as JSON: id, file, markers, stack",
    )


def write_list(session: pytest.Session) -> None:
    """Write the list if it was asked for.

    Args:
        session: The session, whose tests are collected.

    Raises:
        pytest.UsageError: If the id of a test is masked, so that no job could run it.
    """
    from stackproof.pytest_plugin.concealing import IS_CONCEALED

    path: Path | None = session.config.getoption(OPTION)
    if path is not None:
        masked = [item.nodeid for item in session.items if IS_CONCEALED in item.stash]
        if masked:
            raise pytest.UsageError(
                f"{masked[0]} can't be listed: its id holds a secret, which is masked, so pytest "
                "can't find the test by it; give the parameter an id: pytest.param(…, id=…)"
            )
        found = [_described(item) for item in session.items]
        path.write_text(json.dumps(found), encoding="utf-8")


def _described(item: pytest.Item) -> dict[str, object]:
    from stackproof.pytest_plugin.options import wish_of

    return {
        "id": item.nodeid,
        "file": item.nodeid.partition("::")[0],
        "markers": sorted({mark.name for mark in item.iter_markers()}),
        "stack": wish_of(item).stack_request.stack,
    }
