"""The packages of the system that a RUN line installs, by the names that Debian has for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import dropwhile

from stackproof.plan.addressing.commands import shell_commands

_INSTALLERS = {"apt-get": "install", "apt": "install", "apk": "add"}
_WITH_VALUE = {
    "apt-get": frozenset({"-o", "-t", "--target-release", "-c"}),
    "apt": frozenset({"-o", "-t", "--target-release", "-c"}),
    "apk": frozenset({"-t", "--virtual", "-X", "--repository", "--repositories-file", "-p"}),
}
_REDIRECTION = re.compile(r"\d?[<>]+&?|&>+")
_SOURCES = ("deb.nodesource.com", "apt-key", "add-apt-repository", "sources.list", "apk.repos")

OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "build-base": ("build-essential",),
    "alpine-sdk": ("build-essential", "git"),
    "libc6-compat": (),
    "gcompat": (),
    "libstdc++": (),
    "libgcc": (),
    "musl-dev": (),
    "musl": (),
    "shadow": (),
    "linux-headers": ("linux-libc-dev",),
    "python3-dev": ("python3-dev",),
    "py3-pip": ("python3-pip",),
    "postgresql-dev": ("libpq-dev",),
    "postgresql-libs": ("libpq5",),
    "mariadb-dev": ("libmariadb-dev",),
    "mariadb-connector-c": ("libmariadb3",),
    "mysql-client": ("default-mysql-client",),
    "openssl-dev": ("libssl-dev",),
    "libffi-dev": ("libffi-dev",),
    "zlib-dev": ("zlib1g-dev",),
    "openjdk17": ("openjdk-17-jdk-headless",),
    "openjdk17-jre": ("openjdk-17-jre-headless",),
    "openjdk21": ("openjdk-21-jdk-headless",),
    "su-exec": ("gosu",),
    "vips-dev": ("libvips-dev",),
    "vips": ("libvips42",),
    "font-noto": ("fonts-noto-core",),
    "ttf-freefont": ("fonts-freefont-ttf",),
    "g++": ("g++",),
    "ninja": ("ninja-build",),
    "go": ("golang-go",),
    "netcat-openbsd": ("netcat-openbsd",),
    "bind-tools": ("dnsutils",),
    "docker-cli": ("docker.io",),
}
"""Packages of Alpine that Debian calls otherwise, or that its C library needs none of."""


def packages_of(text: str) -> tuple[str, ...]:
    """The packages that a shell text installs, each once.

    Args:
        text: What RUN hands to the shell.
    """
    return tuple(dict.fromkeys(_found(text)))


def _found(text: str) -> Iterator[str]:
    for command in shell_commands(text):
        words = list(dropwhile(_is_before, command))
        tool = words[0].rpartition("/")[2] if words else ""
        if tool in _INSTALLERS:
            yield from _named(tool, words[1:])


def _named(tool: str, words: Sequence[str]) -> Iterator[str]:
    verb, skips = "", False
    for word in words:
        if skips:
            skips = False
        elif word in _WITH_VALUE[tool] or _REDIRECTION.fullmatch(word):
            skips = True
        elif word.startswith("-") or _REDIRECTION.match(word):
            continue
        elif not verb:
            verb = word
            if verb != _INSTALLERS[tool]:
                return
        else:
            name = word.partition("=")[0].partition("~")[0].partition("<")[0].partition(">")[0]
            of_alpine = tool == "apk" and not name.startswith(".")
            yield from OTHER_NAMES.get(name, (name,)) if of_alpine else (name,) if name else ()


def adds_sources(text: str) -> bool:
    """Whether a shell text lets packages come from elsewhere than the system's own sources."""
    return any(word in text for word in _SOURCES)


def _is_before(word: str) -> bool:
    """Whether a word stands before a command: `sudo`, or a variable that it gets."""
    name, equals, _ = word.partition("=")
    return word in {"sudo", "exec"} or (bool(equals) and name.isidentifier())
