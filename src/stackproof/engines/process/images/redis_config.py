"""Arguments of a Redis server as the lines of a configuration file, which nobody else can read.

Redis itself turns its arguments into such lines (`main` in server.c, `sdscatrepr` in sds.c); in a
file a password is not shown to everybody who lists processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_PLAIN = frozenset(range(0x20, 0x7F)) - {ord("\\"), ord('"')}

SPOKEN_DIRECTLY = {
    "tls-port": "TLS ends at the server itself",
    "tls-cluster": "TLS ends at the server itself",
    "cluster-enabled": "the nodes of a cluster reach each other's ports",
    "sentinel": "a sentinel announces its own port",
}
"""Directives with which a server has to listen on TCP itself, and why."""


def lines_of(arguments: Sequence[str]) -> Iterator[str]:
    """The lines of a configuration file that mean the same as some arguments.

    Args:
        arguments: Such as `--save 60 1 --requirepass secret`.
    """
    line = ""
    for word in arguments:
        if word.startswith("--"):
            if line:
                yield line
            line = word[2:]
        else:
            line += f" {quoted(word)}"
    if line:
        yield line


def quoted(word: str) -> str:
    """A word as the configuration file takes it, whatever is in it."""
    shown = (chr(byte) if byte in _PLAIN else f"\\x{byte:02x}" for byte in word.encode())
    return f'"{"".join(shown)}"'


def why_direct(lines: Sequence[str]) -> str:
    """Why a server with such a configuration has to listen on TCP itself; empty if it need not.

    Args:
        lines: Lines of the configuration.
    """
    for line in lines:
        name, *values = line.split() or [""]
        value = values[0].strip("\"'").lower() if values else ""
        if name.lower() in SPOKEN_DIRECTLY and value not in {"no", "0"}:
            return f"its configuration has {name}: {SPOKEN_DIRECTLY[name.lower()]}"
    return ""
