"""Where one text leads: URLs, connection strings, `host:port` pairs and files of SQLite in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackproof.plan.addressing.connection_strings import read_connection_string
from stackproof.plan.addressing.connection_targets import FILES_OF_SQLITE, connection_targets
from stackproof.plan.addressing.hosts import parse_port, read_pair
from stackproof.plan.addressing.schemes import (
    Kind,
    holds_data,
    kind_of_port,
    kind_of_scheme,
    kind_port,
)
from stackproof.plan.addressing.targets import DEFAULT_HOST, Target
from stackproof.plan.addressing.url_targets import IN_MEMORY, url_targets
from stackproof.plan.addressing.urls import find_urls

FIRST_OF_A_USER = 1024
"""A smaller number after a single word is rather a tag, a user's number or a time than a port."""

_SPACE = re.compile(r"[\s\x1f]+")
_MEMBERS = re.compile(r"[\s,;|\x1f]+")


def bare(text: str) -> str:
    """A value without blanks and quotes around it, as many programs read it."""
    text = text.strip()
    while len(text) > 1 and text[0] == text[-1] and text[0] in "'\"`":
        text = text[1:-1].strip()
    return text


def text_targets(
    text: str, place: str, kind: Kind = "unknown", *, is_command: bool = False
) -> Iterator[Target]:
    """Every place that a text leads to, what merely stands in prose left out.

    Args:
        text: The text, without quotes around it.
        place: Where it stands.
        kind: What the variable's name speaks of.
        is_command: Whether a program gets it as its arguments.
    """
    connection = read_connection_string(text)
    if connection is not None:
        yield from connection_targets(connection, place, kind)
    is_prose = not is_command and _is_prose(text)
    for url in find_urls(text):
        found = kind_of_scheme(url.scheme)
        if not holds_data(found) and found != "sqlite" and (is_prose or url.is_nested):
            continue
        yield from url_targets(url, place, kind)
    if "://" not in text:
        yield from _schemeless(text, place, kind)


def _is_prose(text: str) -> bool:
    """Whether a text has words that are no addresses, such as a namespace's surroundings."""
    words = [word for word in _SPACE.split(text) if word]
    return len(words) > 1 and not all("://" in word or read_pair(word) for word in words)


def _schemeless(text: str, place: str, kind: Kind) -> Iterator[Target]:
    """`host:port` pairs, Go's `user@tcp(host:port)/db`, and JDBC's short forms."""
    lower = text.lower()
    if lower.startswith("jdbc:"):
        yield from _short_jdbc(text, place)
        return
    for opening in ("@tcp(", "@tcp6(", "@unix("):
        start = lower.find(opening)
        if start >= 0:
            inside, _, rest = text[start + len(opening) :].partition(")")
            host, port = read_pair(inside) or (inside.lower(), 3306)
            name = rest.removeprefix("/").partition("?")[0]
            yield Target(place, "mysql", host, port, name or None, f"…@tcp({inside})/{name}")
            return
    if lower.startswith(("sqlite:", "sqlite3:")) or (
        lower.startswith("file:") and lower.partition("?")[0].endswith(FILES_OF_SQLITE)
    ):
        path = text.partition(":")[2].partition("?")[0]
        if path not in IN_MEMORY:
            yield Target(place, "sqlite", path, None, None, f"{text.partition(':')[0]}:{path}")
        return
    yield from _pairs(text, place, kind)


def _short_jdbc(text: str, place: str) -> Iterator[Target]:
    """`jdbc:postgresql:shop`, `jdbc:oracle:thin:@host:1521:shop`, `jdbc:sqlite:shop.db`."""
    _, _, rest = text.partition(":")
    scheme, _, rest = rest.partition(":")
    kind = kind_of_scheme(scheme)
    if kind == "sqlite" or scheme.lower() in {"h2", "hsqldb", "derby", "duckdb"}:
        path = rest.removeprefix("file:").partition("?")[0].partition(";")[0]
        if not path.startswith("mem") and path not in IN_MEMORY:
            yield Target(place, "sqlite", path, None, None, f"jdbc:{scheme}:{path}")
    elif kind == "oracle":
        after = rest.rpartition("@")[2].removeprefix("//")
        host, _, port = after.partition("/")[0].partition(":")
        yield Target(place, kind, host.lower(), parse_port(port.partition(":")[0]) or 1521, None,
                     f"jdbc:oracle:…@{host}")  # fmt: skip
    elif holds_data(kind) and scheme.lower() != "tc":
        name = rest.lstrip("/").partition("?")[0]
        yield Target(place, kind, DEFAULT_HOST, kind_port(kind), name, f"jdbc:{scheme}:{name}")


def _pairs(text: str, place: str, kind: Kind) -> Iterator[Target]:
    """A list of `host:port`, perhaps followed by options such as `,ssl=False`."""
    members = [part for part in _MEMBERS.split(text) if part]
    read = [read_pair(member) for member in members]
    rest = [member for member, pair in zip(members, read, strict=True) if pair is None]
    if any("=" not in member for member in rest):
        return
    for pair in read:
        if pair is None:
            continue
        host, port = pair
        found = kind if holds_data(kind) else kind_of_port(port)
        is_word = "." not in host and ":" not in host
        if is_word and host != "localhost" and not holds_data(found) and port < FIRST_OF_A_USER:
            continue
        yield Target(place, found, host, port, None, f"{host}:{port}")
