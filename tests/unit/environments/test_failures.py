"""What uv prints when it fails, and the cause that is named for it."""

import pytest

from stackproof.engines.process.python.failures import explain

NETWORK = """\
error: Request failed after 3 retries in 5.2s
  cause: Failed to fetch: http://127.0.0.1:9/simple/flask/
  cause: tcp connect error
  cause: Connection refused (os error 111)
"""
UNKNOWN = """\
error: No solution found when resolving dependencies
  cause: Because shop-utils was not found in the package registry and you require shop-utils, we \
can conclude that your requirements are unsatisfiable.
"""
CONFLICT = """\
error: No solution found when resolving dependencies
  cause: Because flask==3.0.0 depends on werkzeug>=3.0.0 and you require flask==3.0.0, we can \
conclude that you require werkzeug>=3.0.0.
"""
OLD_PYTHON = """\
error: No solution found when resolving dependencies
  cause: Because the current Python version (3.10.13) does not satisfy Python>=3.12 and numpy==2.9 \
depends on Python>=3.12, we can conclude that numpy==2.9 cannot be used.
"""
OFFLINE = """\
error: No solution found when resolving dependencies
  cause: Because flask was not found in the cache and you require flask==2.9.1, we can conclude \
that your requirements are unsatisfiable.
hint: Packages were unavailable because the network was disabled.
"""
WORKSPACE = """\
error: Failed to parse entry: `shared`
  cause: `shared` references a workspace in `tool.uv.sources` (e.g., `shared = { workspace = true \
}`), but is not a workspace member
"""
NO_LOCK = """\
error: Unable to find lockfile at `uv.lock`, but `--frozen` was provided. To create a lockfile, \
run `uv lock` or `uv sync` without the flag.
"""
WRONG_PATH = "error: Distribution not found at: file:///src/packages/nope"
HASH = "error: Failed to download `six==1.17.0`\n  cause: Hash mismatch for `six==1.17.0`"
NO_HASH = "error: In `--require-hashes` mode, all requirements must be pinned with a hash"
BUILD = "error: Failed to build `psycopg2==2.9`\n  cause: The build backend returned an error"
LOGIN = "error: Failed to fetch: `https://h/simple/x/`\n  cause: HTTP status client error (401 \
Unauthorized)"


@pytest.mark.parametrize(
    ("output", "cause", "remedy"),
    [
        (NETWORK, "the index can't be reached", "check the network"),
        (UNKNOWN, "no such package: shop-utils", "name and version in `pip install x`"),
        (CONFLICT, "contradict each other", "relax"),
        (OLD_PYTHON, "does not support this version of Python", "another Python"),
        (OFFLINE, "may not use the network", "UV_OFFLINE"),
        (WORKSPACE, "shop is a member of a uv workspace", "x-stackproof.project"),
        (NO_LOCK, "shop has no uv.lock", "uv lock"),
        (WRONG_PATH, "no Python project at /src/packages/nope", "the path in `pip install x`"),
        (HASH, "does not have the hash", "make the lock anew"),
        (NO_HASH, "does not have the hash", "make the lock anew"),
        (BUILD, "could not be built", "compilers"),
        (LOGIN, "refused access", "credentials"),
        ("something else", "", ""),
    ],
)
def test_the_cause_is_read_from_what_uv_says(output, cause, remedy):
    what, then = explain(output, "shop", "`pip install x`")
    assert cause in what
    assert remedy in then
    assert bool(what) is bool(cause)
