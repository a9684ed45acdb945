"""What addresses and ports look like in commands and environment values.

The arguments of a command are joined by U+001F before they are searched, which counts as white
space here, so that the same patterns serve argument lists and shell texts.
"""

from __future__ import annotations

import re

ARGUMENT_END = "\x1f"

_PORT = r"\d{1,5}+"

_WORD = r"[A-Za-z0-9_]++(?:[.\-]++[A-Za-z0-9_]++)*+"
_HOST = rf"(?:\[[0-9A-Fa-f:.]+\]|\*|{_WORD})"

PAIR = re.compile(
    rf"(?<![\w.\-\]*])(?<![^/:]/)(?P<host>{_HOST}):(?P<port>{_PORT})(?![\w:@])(?!\.\d)"
)
"""`host:port` that is no user and password, and no part of a longer name or of a path."""

BARE_PORT = re.compile(rf"(?:^|(?<=[\s=,'\"])):(?P<port>{_PORT})(?![\w:@.])")
"""`:8000`, which many servers take as the address to listen on."""

KEYWORD_HOST = re.compile(
    rf"(?<![\w\-])(?P<key>host|server)(?P<equals>\s*=\s*)(?P<host>{_WORD})(?![\w:])", re.IGNORECASE
)
KEYWORD_PORT = re.compile(rf"(?<![\w\-])(?P<key>port\s*=\s*)(?P<port>{_PORT})(?!\w)", re.IGNORECASE)
"""`host=db port=5432`, as in connection strings of libpq and others."""

HOST_FLAG = re.compile(
    rf"(?<!\S)(?P<flag>-h|-H|--(?:[\w.\-]*-)?host(?:name)?)(?P<between>[=\s]+)"
    rf"(?P<host>{_WORD})(?![\w:.\-])"
)
PORT_FLAG = re.compile(
    r"(?<!\S)(?P<flag>-[pPbl]|--?(?:[\w.\-]*[\-.])?(?:port|listen|bind|http))"
    rf"(?P<between>[=\s]+)(?P<port>{_PORT})(?![\w.:])"
)
PORT_DEFAULT = re.compile(rf"(?P<flag>\$\{{\w*PORT:?-)(?P<between>)(?P<port>{_PORT})(?=\}})")
PORT_ARGUMENT = re.compile(
    rf"(?P<flag>\b(?:runserver|http\.server))(?P<between>\s+)(?P<port>{_PORT})(?![\w.:])"
)
HOST_AND_PORT = re.compile(rf"(?<!\S)(?P<host>{_WORD})(?P<between>\s+)(?P<port>{_PORT})(?![\w.:])")
"""`nc -z db 5432`."""

CLIENTS = re.compile(r"\b(?:psql|pg_isready|pg_dump|pg_restore|createdb|dropdb|redis-cli)\b")
"""Programs that take their port by `-p`."""

WILDCARD_ADDRESS = re.compile(
    r"(?<![\w.:])0\.0\.0\.0(?![\w.:/])|(?:(?<!\S)|(?<==))(?:::|\[::\])(?!\S)"
)
"""The address that means every interface."""
