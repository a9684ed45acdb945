"""Programs that stand for those of a build that have nothing to do, or can't be had, in a room.

Users and packages are there already when a step begins: they were read when planning.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from stackproof.engines.cache import cached_folder, content_key

PLACE = "/run/stackproof/bin"
"""Where rooms of builds have them, before all other programs."""

_DONE = '#!/bin/sh\necho "stackproof: ${0##*/} $*: done before this step"\n'

_PACKAGES = """\
#!/bin/sh
# The packages that the step names are unpacked already.
for word in "$@"; do
  case "$word" in
    -*) ;;
    update|upgrade|dist-upgrade|full-upgrade|install|add|del|clean|autoclean|autoremove|remove|purge)
      echo "stackproof: ${0##*/} $*: done before this step"; exit 0 ;;
    *) break ;;
  esac
done
echo "stackproof: ${0##*/} $*: only the packages of install and add can be had" >&2
exit 1
"""

SHIMS: Mapping[str, str] = {
    **dict.fromkeys(("apt-get", "apt", "apk"), _PACKAGES),
    **dict.fromkeys(
        ("adduser", "useradd", "addgroup", "groupadd", "usermod", "update-ca-certificates"), _DONE
    ),
    **dict.fromkeys(
        (
            "docker-php-ext-install",
            "docker-php-ext-enable",
            "docker-php-ext-configure",
            "docker-php-source",
            "pecl",
        ),
        _DONE,
    ),
}
"""Name of a program → its text."""


def shims(cache: Path) -> Path:
    """The folder of the programs.

    Args:
        cache: The folder that builds are kept in.
    """
    texts = dict(SHIMS)
    return cached_folder(cache / f"shims-{content_key(texts)}", partial(_write, texts))


def _write(texts: Mapping[str, str], draft: Path) -> None:
    draft.chmod(0o755)
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8")
        (draft / name).chmod(0o755)
