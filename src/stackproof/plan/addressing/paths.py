"""Which folders of this machine stand for the paths inside a container."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

_BEFORE = r"(?:^|(?<=[\s=:,;'\"(\[{<>|&])|(?<=:///))"
_AFTER = r"(?=$|[/\s:,;'\")\]}<>|&?#])"
_NEVER = re.compile(r"(?!)")


class PathMap:
    """Container paths with what each stands for; the longest one that fits is taken.

    Args:
        folders: Container path to path on this machine. The root is left out.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        cleaned = {posixpath.normpath(target): path for target, path in folders.items()}
        self.folders = {
            target: path for target, path in cleaned.items() if target not in {"/", "."}
        }
        longest_first = sorted(self.folders, key=len, reverse=True)
        self.pattern = (
            re.compile(_BEFORE + f"(?:{'|'.join(map(re.escape, longest_first))})" + _AFTER)
            if longest_first
            else _NEVER
        )
        """Finds the container paths in a text, each up to where a longer path goes on."""

    def host_path(self, target: str) -> str:
        """What a container path stands for.

        Raises:
            KeyError: If it is none of the known ones.
        """
        return str(self.folders[target])

    def resolve(self, path: str) -> Path | None:
        """What a container path, or one below it, stands for; None where it is unknown."""
        wanted = posixpath.normpath(path)
        for target in sorted(self.folders, key=len, reverse=True):
            if wanted == target:
                return self.folders[target]
            if wanted.startswith(target + "/"):
                return self.folders[target] / wanted[len(target) + 1 :]
        return None
