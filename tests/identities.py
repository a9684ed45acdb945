"""Who makes a private world in a test: root, or an ordinary user."""

import os

import pytest

from stackproof.reaper.namespace import namespaces_allowed


def require(identity):
    """Skip a test where this identity can't make one.

    Args:
        identity: `root` or `ordinary user`.
    """
    why_not = namespaces_allowed()
    if why_not:
        pytest.skip(f"no namespaces here: {why_not}")
    if identity == "root" and os.getuid() != 0:
        pytest.skip("only root has all ids")
