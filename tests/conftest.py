"""Fixtures of all tests, and what a pytest in a test leaves out."""

import os

from tests.other_users import other_user

__all__ = ["other_user"]

UNUSED = ("hypothesispytest", "valkey", "anyio", "pytest_cov")
"""Plugins that no pytest in a test uses: they cost it more than half of its processor time."""

os.environ["PYTEST_ADDOPTS"] = " ".join(f"-p no:{name}" for name in UNUSED)
