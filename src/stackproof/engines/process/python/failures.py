"""Why uv could not install something, read from what it printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

NETWORK = "check the network, or set UV_DEFAULT_INDEX to a mirror or UV_CACHE_DIR to a filled cache"


@dataclass(frozen=True)
class _Cause:
    """What tells a cause, the cause in words, and what to do; both may name what was found."""

    pattern: str
    what: str
    remedy: str


_CAUSES: Sequence[_Cause] = (
    _Cause(
        r"references a workspace in `tool\.uv\.sources`|is not a workspace member|"
        r"is included as a workspace member",
        "{project} is a member of a uv workspace, which was not found",
        "set `x-stackproof.project` to the member's folder inside the workspace, and "
        "`x-stackproof.lock` to the workspace's uv.lock",
    ),
    _Cause(
        r"Distribution not found at: (?:file://)?(?P<name>\S+)|"
        r"File not found: `?(?P<file>[^`\n]+)`?|"
        r"(?P<path>/\S+) does not appear to be a Python project",
        "there is no Python project at {name}",
        "correct the path in {written}",
    ),
    _Cause(
        r"Unable to find lockfile",
        "{project} has no uv.lock",
        "run `uv lock`, or name the lock under `x-stackproof.lock`",
    ),
    _Cause(
        r"lockfile .*needs to be updated|Failed to parse `uv\.lock`|Failed to parse lockfile",
        "uv.lock does not fit pyproject.toml",
        "run `uv lock`",
    ),
    _Cause(
        r"network was disabled|was not found in the cache|Network connectivity is disabled",
        "uv may not use the network, and its cache lacks a package",
        "unset UV_OFFLINE, or fill the cache",
    ),
    _Cause(
        r"\(40[137]|HTTP status client error \(40[137]|401 Unauthorized|403 Forbidden",
        "the index refused access",
        "check the credentials in UV_DEFAULT_INDEX or UV_INDEX_URL",
    ),
    _Cause(
        r"Failed to fetch|error sending request|dns error|failed to lookup address|"
        r"onnection refused|timed out|tcp connect error",
        "the index can't be reached",
        NETWORK,
    ),
    _Cause(
        r"(?P<name>[\w.\[\],-]+) was not found in the package registry|"
        r"there (?:is no version|are no versions) of (?P<file>\S+)",
        "the index has no such package: {name}",
        "check its name and version in {written}; for a private index set UV_DEFAULT_INDEX",
    ),
    _Cause(
        r"current Python version \((?P<name>[^)]+)\)|Requires-Python|requires Python",
        "a package does not support this version of Python",
        'choose another package version, or another Python by `x-stackproof: {{python: "3.x"}}`',
    ),
    _Cause(
        r"No solution found when resolving",
        "the requirements contradict each other",
        "relax one of the named versions in {written}",
    ),
    _Cause(
        r"[Hh]ash mismatch|In `--require-hashes` mode",
        "a package does not have the hash that {written} names",
        "make the lock anew",
    ),
    _Cause(
        r"Failed to build|build backend returned an error|Failed to download and build",
        "a package could not be built here",
        "install the compilers and libraries that its Dockerfile installs, or choose a version "
        "that has a wheel for this Python",
    ),
    _Cause(
        r"Failed to parse|Couldn't parse requirement|Expected .* requirement|invalid",
        "{written} can't be read",
        "correct the line that uv names",
    ),
)


def explain(output: str, project: str, written: str) -> tuple[str, str]:
    """What failed and what to do; both empty where the output tells nothing known.

    Args:
        output: What uv printed.
        project: Name of the project.
        written: What was installed, such as `requirements.txt`.
    """
    for cause in _CAUSES:
        match = re.search(cause.pattern, output)
        if match is not None:
            named = next((value for value in match.groupdict().values() if value), "")
            words = {"project": project, "written": written, "name": named.strip("`'\"")}
            return cause.what.format_map(words), cause.remedy.format_map(words)
    return "", ""
