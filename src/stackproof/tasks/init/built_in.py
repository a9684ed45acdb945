"""Files of a service that name a database by its old name, which no setting can change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stackproof.stack_file.regular_files import read_text_file
from stackproof.tasks.init.renaming import Renaming
from stackproof.tasks.init.source_trees import SourceTree

ENDINGS = ("ini", "cfg", "conf", "toml", "yaml", "yml", "json", "properties", "py", "js", "ts")
"""Of files that may hold the address of a database."""

PATTERNS = tuple(f"{folder}*.{ending}" for folder in ("", "*/") for ending in ENDINGS)

LARGEST = 100_000

_DEFAULT = re.compile(r"environ|getenv|\benv\b|\$\{|Field\(")
"""What a line has that only says what holds where no variable is set."""


def built_in_names(trees: Sequence[SourceTree], renaming: Renaming) -> list[str]:
    """What a person should know of files that name a renamed database by its old name.

    Args:
        trees: The services that are on.
        renaming: How the database gets its name.
    """
    if not renaming.before:
        return []
    hosts = "|".join(map(re.escape, sorted(renaming.hosts)))
    url = re.compile(rf"@(?:{hosts})(?::\d+)?/{re.escape(renaming.before)}(?![\w-])")
    found = {name: None for tree in trees for name in _naming(tree, url)}
    return [
        f"decide: {name} names the database {renaming.before}, which is "
        f"{renaming.database.name} in the copy; let it take the address from the environment"
        for name in found
        if renaming.database is not None
    ]


def _naming(tree: SourceTree, url: re.Pattern[str]) -> Iterator[str]:
    for seen, path in tree.all(*PATTERNS):
        if "compose" in path.name:  # a Compose file, whose environments are changed
            continue
        try:
            lines = read_text_file(path, LARGEST, errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            is_comment = line.lstrip().startswith(("#", ";", "//"))
            if url.search(line) and not is_comment and not _DEFAULT.search(line):
                yield f"{seen}:{number} of {tree.name}"
