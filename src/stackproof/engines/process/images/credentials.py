"""Secret values that belong to one user: the same in every run, known to nobody else.

They are derived from a key in the user's cache, beside the snapshots, whose data were made with
them; a value of its own for each run would fit neither snapshots nor data that were kept.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
from pathlib import Path

from stackproof.engines.cache import ensure_shelf
from stackproof.errors import Refused
from stackproof.reaper import ownership
from stackproof.reaper.ownership import NotOurs

KEY = "credentials.key"
KEY_BYTES = 32
LETTERS = 40


def secret_value(cache: Path, *names: str) -> str:
    """The secret value that belongs to some names: 160 bits as letters and digits.

    Args:
        cache: The user's cache; the key is made in it when it is first needed.
        names: What it is for.

    Raises:
        Refused: If somebody else could know or have made the key.
        OSError: If the cache can't be written to.
    """
    return hmac.new(_key(cache), "\0".join(names).encode(), "sha256").hexdigest()[:LETTERS]


def _key(cache: Path) -> bytes:
    ensure_shelf(cache)
    folder = str(cache.absolute())
    try:
        with ownership.opened(folder) as handle:
            mode = _mode(handle) or _make(handle)
            found = ownership.read_in(handle, KEY, folder)
    except NotOurs as error:
        raise _unsafe(cache, str(error)) from None
    if mode & 0o077:
        raise _unsafe(cache, f"others can read it (mode {stat.S_IMODE(mode):04o})")
    if len(found) != KEY_BYTES:
        raise _unsafe(cache, f"it has {len(found)} bytes instead of {KEY_BYTES}")
    return found


def _unsafe(cache: Path, observed: str) -> Refused:
    return Refused(
        f"the key {cache / KEY} is not safe to use",
        observed=observed,
        remedy="remove it; a new one is made, and so are the snapshots. Data that `down "
        "--keep-data` has kept need the old passwords",
    )


def _mode(handle: int) -> int:
    """The mode of the key; 0 where there is none."""
    try:
        return os.stat(KEY, dir_fd=handle, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return 0


def _make(handle: int) -> int:
    """Make the key whole, and give its mode; of two that do so at once, one wins."""
    draft = f".{KEY}-{secrets.token_hex(8)}"
    ownership.create_in(handle, draft, secrets.token_bytes(KEY_BYTES))
    try:
        os.link(draft, KEY, src_dir_fd=handle, dst_dir_fd=handle, follow_symlinks=False)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft, dir_fd=handle)
    return _mode(handle)
