"""Fixtures of all tests."""

from tests.other_users import other_user

__all__ = ["other_user"]
