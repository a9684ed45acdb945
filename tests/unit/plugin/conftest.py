"""Fixtures of the plugin's tests."""

import os

import pytest


@pytest.fixture
def pytester(pytester, monkeypatch):
    """That of pytest, with the options that each pytest in a test gets; it removes them."""
    monkeypatch.setenv("PYTEST_ADDOPTS", ADDED)
    return pytester


ADDED = os.environ["PYTEST_ADDOPTS"]
