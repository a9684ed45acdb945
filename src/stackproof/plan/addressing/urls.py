"""Finds and reads the URLs in a text; each character is looked at a bounded number of times.

A URL is read as generously as the most generous library does: what libpq, SQLAlchemy, dj-database-
url, redis-py, kombu and pymongo disagree about gives several places, and all of them count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackproof.plan.addressing.hosts import NO_PORT, parse_port

LONGEST_SCHEME = 40

_BEFORE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-_")
_END = re.compile(r"[\s\x00-\x1f'\"`<>]")
_AUTHORITY_END = re.compile(r"[/?#;\s\x00-\x1f'\"`<>]")
_NESTED_END = re.compile(r"[?&#,;|]")
_SEPARATORS = frozenset(",;|")
_CLOSING = ")]},;."


@dataclass(frozen=True)
class Written:
    """One host of a URL, as written.

    Attributes:
        host: The host; brackets of IPv6 included, percent-escapes not resolved.
        port: The digits, or whatever stands in their place; empty for none.
        start: Where it begins in the text.
        end: Where it ends, the port included.
    """

    host: str
    port: str
    start: int
    end: int


@dataclass(frozen=True)
class Url:
    """One URL in a text.

    Attributes:
        scheme: As written.
        has_user: Whether a user, or a password, stands in it.
        hosts: Its hosts, one for each comma in the authority.
        others: Hosts that another library than most would read in it.
        path: What follows the authority, up to `?`.
        path_start: Where that begins in the text.
        query: What follows `?`; empty for a URL that is part of another one.
        start: Where it begins in the text.
        end: Where it ends.
        user: The user's name.
        is_nested: Whether it is a part of another one, such as an option of it.
    """

    scheme: str
    has_user: bool
    hosts: tuple[Written, ...]
    others: tuple[Written, ...]
    path: str
    path_start: int
    query: str
    start: int
    end: int
    user: str = ""
    is_nested: bool = False


def find_urls(text: str) -> Iterator[Url]:
    """Every URL in a text, those inside others included.

    Args:
        text: A value, or arguments that are separated by control characters.
    """
    starts = list(_starts(text))
    end = token_end = 0
    for number, (start, colon) in enumerate(starts):
        following = starts[number + 1][0] if number + 1 < len(starts) else len(text)
        is_nested = start < end
        if not is_nested:
            if colon >= token_end:
                found = _END.search(text, colon + 3)
                token_end = found.start() if found else len(text)
            end = _member_end(text, starts, number, token_end)
        url_end = end
        if is_nested:
            cut = _NESTED_END.search(text, colon + 3, min(end, following))
            url_end = cut.start() if cut else min(end, following)
        yield _read(text, start, colon, url_end, limit=following, is_nested=is_nested)


def _starts(text: str) -> Iterator[tuple[int, int]]:
    """Where each URL's scheme begins, and its colon."""
    colon = text.find("://")
    while colon >= 0:
        start = colon
        while start > max(0, colon - LONGEST_SCHEME) and text[start - 1] in _BEFORE:
            start -= 1
        while start < colon and not (text[start].isascii() and text[start].isalpha()):
            start += 1
        if start < colon:
            yield start, colon
        colon = text.find("://", colon + 3)


def _member_end(text: str, starts: list[tuple[int, int]], number: int, token_end: int) -> int:
    """Where a URL ends: at the next one of a list such as `redis://a,redis://b`, or with it."""
    following = number + 1
    while following < len(starts) and starts[following][0] < token_end:
        if text[starts[following][0] - 1] in _SEPARATORS:
            return starts[following][0] - 1
        following += 1
    return token_end


def _read(text: str, start: int, colon: int, end: int, *, limit: int, is_nested: bool) -> Url:
    begin = colon + 3
    found = _AUTHORITY_END.search(text, begin, end)
    stop = found.start() if found else end
    at = text.rfind("@", begin, stop)
    hosts = tuple(_hosts(text, at + 1 if at >= 0 else begin, stop))
    others: tuple[Written, ...] = ()
    if at < 0 and stop < limit:
        others = _second_reading(text, stop, limit, hosts, is_first=start == 0)
        if others:
            stop = others[-1].end
            after = _END.search(text, stop, limit)
            end = max(end, after.start() if after else limit)
            hosts = tuple(host for host in hosts if _may_be_one(host))
    question = text.find("?", stop, end)
    path_end = question if question >= 0 else end
    return Url(
        scheme=text[start:colon],
        has_user=at >= 0 or bool(others),
        hosts=hosts,
        others=others,
        path=text[stop:path_end],
        path_start=stop,
        query=text[question + 1 : end] if question >= 0 else "",
        start=start,
        end=end,
        user=text[begin:at].partition(":")[0] if at >= 0 else "",
        is_nested=is_nested,
    )


def _may_be_one(written: Written) -> bool:
    """Whether it is no user and password, which look like a host with a port that is none."""
    is_address = written.host.startswith("[") or ":" not in written.host
    return is_address and parse_port(written.port) != NO_PORT


def _second_reading(
    text: str, stop: int, limit: int, hosts: tuple[Written, ...], *, is_first: bool
) -> tuple[Written, ...]:
    """The hosts after an `@` that stands behind a character which ends the authority for some.

    A user or password may hold `/`, `?`, `#`, quotes or blanks for SQLAlchemy and libpq; where the
    first reading gives a port that is none, it is the password that was read. Blanks and quotes end
    a URL that stands within a text.
    """
    is_broken = any(host.port and parse_port(host.port) == NO_PORT for host in hosts)
    may_hold = text[stop] not in "/?" if is_first else text[stop] in "#;"
    if not may_hold and not is_broken:
        return ()
    slash = text.find("/", stop, limit)
    near = slash if slash >= 0 and not is_broken else limit
    at = text.rfind("@", stop, near)
    if at < 0:
        return ()
    after = _AUTHORITY_END.search(text, at + 1, limit)
    return tuple(_hosts(text, at + 1, after.start() if after else limit))


def _hosts(text: str, start: int, stop: int) -> Iterator[Written]:
    """The hosts of an authority without its user."""
    while start <= stop:
        comma = text.find(",", start, stop)
        end = comma if comma >= 0 else stop
        yield _host(text, start, end)
        start = end + 1


def _host(text: str, start: int, end: int) -> Written:
    whole = text[start:end].rstrip(_CLOSING) if not text.startswith("[", start) else text[start:end]
    if whole.startswith("["):
        close = whole.find("]") + 1
        if close:
            whole = whole[:close] + whole[close:].rstrip(_CLOSING)
            port = whole[close:].removeprefix(":")
            return Written(whole[:close], port, start, start + len(whole))
        return Written(whole, "", start, start + len(whole))
    host, colon, port = whole.rpartition(":")
    if not colon or ":" in host:
        host, port = whole, ""
    return Written(host, port, start, start + len(whole))
