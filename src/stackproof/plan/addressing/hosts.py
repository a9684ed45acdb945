"""Hosts and ports as text: what may be one, and what one means."""

from __future__ import annotations

import ipaddress
from urllib.parse import unquote

LONGEST_PORT = 5

NO_PORT = -1
"""Stands for what is written in the place of a port and is none."""

_UNREADABLE = frozenset("${}<>%*()=\x1f")
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
_LONGEST_HOST = 255
_LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "loopback"})


def plain_host(written: str) -> str:
    """A host without brackets and percent-escapes, in lower case unless it is a path."""
    host = unquote(written.strip()).removeprefix("[").removesuffix("]")
    return host if host.startswith(("/", "@")) else host.lower().rstrip(".")


def parse_port(written: str) -> int | None:
    """The number of a port; None where nothing is written, NO_PORT where no port is."""
    text = written.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_PORT:
        return NO_PORT
    return int(text)


def read_pair(text: str) -> tuple[str, int] | None:
    """Host and port of `host:port`; None for anything else."""
    host, colon, digits = text.strip("'\"").rpartition(":")
    port = parse_port(digits)
    if not colon or port is None or port == NO_PORT:
        return None
    is_bracketed = host.startswith("[") and host.endswith("]")
    plain = plain_host(host)
    if not is_host(plain) or (":" in plain and not is_bracketed):
        return None
    return plain, port


def is_host(text: str) -> bool:
    """Whether a text in lower case could be the name or number of a host."""
    if not text or len(text) > _LONGEST_HOST:
        return False
    if ":" in text:
        try:
            ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return False
        return True
    return all(char in _LABEL for char in text) and not text.isdecimal() and text[0].isalnum()


def is_unreadable(host: str) -> bool:
    """Whether a host is a blank for something else, such as `${HOST}` or `{host}`."""
    return any(char in _UNREADABLE for char in host.partition("%")[0])


def is_loopback(host: str) -> bool:
    """Whether a host is the machine that asks."""
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.startswith("127.") and host.replace(".", "").isdecimal()
