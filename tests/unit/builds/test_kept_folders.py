"""Folders that builds have in common are theirs alone: what lies in them becomes programs."""

import tempfile
from pathlib import Path

from stackproof.engines.process.builds.images import Builder


def test_no_other_user_gets_to_what_builds_keep(other_user):
    with tempfile.TemporaryDirectory(prefix="stackproof-open-") as name:
        cache = Path(name)
        cache.chmod(0o755)
        kept = Builder("web", None, cache, cache, None, None)._kept("go-build")
        done = other_user.python("import os, sys; os.listdir(sys.argv[1])", kept)
    assert "PermissionError" in done.stderr
