"""Reads connection strings made of keywords: libpq's, ADO.NET's, ODBC's, PDO's and Azure's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_HOST_KEYS = ("host", "hostaddr", "server", "data source", "datasource", "addr", "address",
              "network address", "servername", "hostname", "endpoint", "unix_socket")  # fmt: skip
_PORT_KEYS = ("port", "portnumber")
_USER_KEYS = ("user", "uid", "user id", "username")
_NAME_KEYS = ("dbname", "database", "initial catalog", "databasename", "db")
_OTHERS = frozenset(
    {"user", "uid", "user id", "userid", "username", "user name", "password", "pwd", "driver",
     "sslmode", "ssl mode", "service", "trusted_connection", "integrated security", "encrypt",
     "trustservercertificate", "connect_timeout", "connection timeout", "application_name",
     "pooling", "charset", "provider", "accountname", "accountkey", "sharedaccesskey", "options",
     "sharedaccesskeyname", "endpointsuffix", "persist security info", "multipleactiveresultsets",
     "timezone", "target_session_attrs", "search_path", "search path", "passfile", "version",
     "maximum pool size", "minimum pool size", "mode", "cache", "foreign keys"}
)  # fmt: skip
_ALL = frozenset({*_HOST_KEYS, *_PORT_KEYS, *_NAME_KEYS, *_OTHERS})

_PRODUCTS: Mapping[str, str] = {
    "pgsql": "postgresql",
    "mysql": "mysql",
    "sqlsrv": "mssql",
    "dblib": "mssql",
    "odbc": "odbc",
}
"""Prefixes of PDO, such as `pgsql:host=db;dbname=shop`, and the schemes that they stand for."""


@dataclass(frozen=True)
class ConnectionString:
    """What a connection string says.

    Attributes:
        scheme: The URL scheme of the product, where it is told; else empty.
        hosts: The hosts, each with its port as written; empty where there is none.
        database: Name of the database; None where it is not told.
        service: Section of a libpq service file; empty for none.
        user: The user.
    """

    scheme: str
    hosts: tuple[tuple[str, str], ...]
    database: str | None
    service: str = ""
    user: str = ""


def read_connection_string(text: str) -> ConnectionString | None:
    """What a text says as a connection string; None where it is none.

    Source: PostgreSQL documentation, "Keyword/Value Connection Strings"; .NET documentation,
    "Connection String Syntax"; PHP manual, "PDO Drivers".

    Args:
        text: A whole value.
    """
    if "=" not in text:
        return None
    scheme = ""
    prefix, colon, rest = text.partition(":")
    if colon and prefix.strip().lower() in _PRODUCTS:
        scheme, text = _PRODUCTS[prefix.strip().lower()], rest
    pairs = _pairs(text, ";" if _is_divided_by_semicolons(text) else "")
    if pairs is None:
        return None
    found = {key: value for key, value in pairs if key in _ALL}
    if not found or len(found) < len(pairs) - len(found) or not _speaks_of_a_server(found, scheme):
        return None
    return ConnectionString(
        scheme=scheme or _scheme(found),
        hosts=tuple(_hosts(found)),
        database=next((found[key] for key in _NAME_KEYS if key in found), None),
        service=found.get("service", ""),
        user=next(
            (found[key] for key in ("user", "uid", "user id", "username") if key in found), ""
        ),
    )


def _is_divided_by_semicolons(text: str) -> bool:
    first = text.find(";")
    return first >= 0 and "=" in text[:first]


def _speaks_of_a_server(found: Mapping[str, str], scheme: str) -> bool:
    if scheme:
        return True
    if "accountname" in found and "accountkey" in found:
        return True
    if len(found) == 1:
        return bool(found.get("host") or found.get("hostaddr"))
    return any(key in found for key in (*_HOST_KEYS, "service", *_NAME_KEYS))


def _scheme(found: Mapping[str, str]) -> str:
    if "dbname" in found or "hostaddr" in found or "service" in found or "sslmode" in found:
        return "postgresql"
    if {"initial catalog", "integrated security", "trustservercertificate"} & found.keys():
        return "mssql"
    return "odbc"


def _hosts(found: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    ports = next((found[key] for key in _PORT_KEYS if key in found), "").split(",")
    for key in _HOST_KEYS:
        if not found.get(key):
            continue
        written = found[key].removeprefix("tcp:").removeprefix("np:").removeprefix("lpc:")
        if key in {"server", "data source", "datasource", "addr", "address", "network address"}:
            host, comma, port = written.partition(",")
            if comma and port.strip().isdecimal():
                yield host.partition("\\")[0], port  # SQL Server: host\instance,port
                continue
        for number, host in enumerate(written.split(",")):
            port = ports[number] if number < len(ports) else ports[-1]
            yield host.partition("\\")[0].strip(), port
    if "accountname" in found and "accountkey" in found:
        suffix = found.get("endpointsuffix") or "core.windows.net"
        yield f"{found['accountname']}.blob.{suffix}", ""


def _pairs(text: str, separator: str) -> list[tuple[str, str]] | None:
    """The keywords and values; None where the text is not made of them alone."""
    found: list[tuple[str, str]] = []
    place = 0
    while True:
        while place < len(text) and (text[place].isspace() or text[place] == separator):
            place += 1
        if place >= len(text):
            return found
        equals = text.find("=", place)
        if equals < 0:
            return None
        key = text[place:equals].strip().lower()
        if not key or not key.replace("_", "").replace(" ", "").isalnum():
            return None
        if not separator and " " in key:
            return None
        value, place = _value(text, equals + 1, separator)
        found.append((key, value))


def _value(text: str, place: int, separator: str) -> tuple[str, int]:
    while place < len(text) and text[place].isspace():
        place += 1
    if place < len(text) and text[place] in "'\"{":
        return _quoted(text, place)
    if not separator:
        return _unquoted(text, place)
    end = text.find(separator, place)
    end = end if end >= 0 else len(text)
    return text[place:end].strip(), end


def _unquoted(text: str, place: int) -> tuple[str, int]:
    """A value of libpq without quotes, in which a backslash takes the next letter as it is."""
    letters: list[str] = []
    while place < len(text) and not text[place].isspace():
        place += text[place] == "\\"
        letters.append(text[place : place + 1])
        place += 1
    return "".join(letters), place


def _quoted(text: str, place: int) -> tuple[str, int]:
    r"""A quoted value: `\\` escapes in libpq's, a doubled quote stands for one in ADO.NET's."""
    close = "}" if text[place] == "{" else text[place]
    letters: list[str] = []
    place += 1
    while place < len(text):
        if text[place] == "\\" and close == "'" and place + 1 < len(text):
            place += 1
        elif text[place] == close:
            if text[place + 1 : place + 2] != close:
                break
            place += 1
        letters.append(text[place])
        place += 1
    return "".join(letters), place + 1
