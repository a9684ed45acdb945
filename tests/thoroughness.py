"""How much is tried: all on the oldest Python, less on the newer ones."""

import os

OF_WHOLE_PROGRAMS = (
    "tests/unit/plugin/", "tests/unit/environments/", "tests/unit/images/",
    "tests/unit/test_session_durations.py", "tests/unit/test_session_command_line.py",
)  # fmt: skip
"""Tests that start pytest, nox, uv or a server again and again; the oldest Python runs them."""

OF_SYSTEM_CALLS = (
    "tests/unit/reaper/", "tests/unit/supervisor/", "tests/unit/world/", "tests/unit/network/",
    "tests/unit/fork_server/", "tests/unit/builds/",
)  # fmt: skip
"""Tests that fork; no Python between two others breaks them alone."""


def tries_less(session: str) -> bool:
    """Whether this is one of the sessions `unit-3.x`; the session `unit` tries all."""
    return session.startswith("unit-")


def is_left_out(session: str, test: str) -> bool:
    """Whether a test runs on the oldest Python only, or on the oldest and the newest.

    Args:
        session: The session.
        test: Id of the test.
    """
    if not tries_less(session):
        return False
    left_out = OF_WHOLE_PROGRAMS if session == "unit-3.13" else OF_WHOLE_PROGRAMS + OF_SYSTEM_CALLS
    return test.startswith(left_out)


SESSION = os.environ.get("NOX_CURRENT_SESSION", "")
OTHER_PYTHON = tries_less(SESSION)
