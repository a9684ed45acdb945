"""Rewrites the texts of a stack that name a database of a shared server, or refuses to guess."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from stackproof.plan.addressing import patterns
from stackproof.plan.addressing.environment_rules import HOST_NAME
from stackproof.plan.addressing.urls import Url, find_urls
from stackproof.stack_file.reading.scalars import whole_number

_REDIS_SCHEMES = frozenset({"redis", "rediss", "valkey", "valkeys"})
_REDIS_PATH = re.compile(r"/?(\d{0,18}+)")
_QUERY_INDEX = re.compile(r"(?<=[?&]db=)\d{1,18}+(?!\d)")
_DATABASE_NAME = re.compile(r"(?:DB|DATABASE)(?:_?NAME)?$", re.IGNORECASE)
_USER_NAME = re.compile(r"USER(?:_?NAME)?$", re.IGNORECASE)
_INDEX_NAME = r"\w*(?:DB|DATABASE|INDEX|DB_NUM|DB_NUMBER)"
_KEYWORD = r"(?<![\w-])((?:dbname|database)\s*=\s*['\"]?){name}(?![\w-])"
_FLAG = r"(?<!\S)((?:-d|--(?:[\w-]*-)?(?:dbname|database|db))[=\s]\s*){name}(?![\w-])"

_PRIVATE = 0xF0000  # Supplementary Private Use Area-A: no text has these characters


@dataclass(frozen=True)
class PartNames:
    """How a stack's part of a server is called.

    Attributes:
        database: The database that the stack file names, and the stack's own; None for Redis.
        first_index: The logical database of Redis that the stack's 0 is.
    """

    database: tuple[str, str] | None
    first_index: int = 0


class CantBeSure(Exception):
    """A text names a shared server in a way that can't be rewritten for certain.

    Args:
        service: The shared server.
        observed: What stands there; no secret.
        remedy: What to write instead.
        place: Where, such as `environment.DATABASE_URL`.
    """

    def __init__(self, service: str, observed: str, remedy: str, place: str = "") -> None:
        super().__init__(observed)
        self.service = service
        self.observed = observed
        self.remedy = remedy
        self.place = place


class Rewriter:
    """Rewrites environments and commands.

    Args:
        parts: Shared services, and how the stack's parts of them are called.
        names: Every host name in lower case, and the service that it means.
        indexes: Takes, for each Redis, how many logical databases the stack uses.
    """

    def __init__(
        self, parts: Mapping[str, PartNames], names: Mapping[str, str], indexes: dict[str, int]
    ) -> None:
        self.parts = parts
        self.names = names
        self.indexes = indexes
        self._databases = {
            part.database[0]: (name, part.database[1])
            for name, part in parts.items()
            if part.database
        }

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment of a service with the stack's own parts in it.

        Raises:
            CantBeSure: If a value can't be rewritten for certain.
        """
        result = {name: self._value(name, value) for name, value in environment.items()}
        for name, value in environment.items():
            service = self._host(value) if HOST_NAME.match(name) else None
            if service is not None and name != "HOSTNAME":
                result.update(self._beside_host(name, service, environment, result))
        return result

    def arguments(self, argv: Sequence[str]) -> list[str]:
        """The arguments of a command with the stack's own parts in them.

        Raises:
            CantBeSure: If one can't be rewritten for certain.
        """
        text = patterns.ARGUMENT_END.join(argv)
        try:
            done = self._text(text, flags=True)
        except CantBeSure as doubt:
            doubt.place = "command"
            raise
        return done.split(patterns.ARGUMENT_END) if argv else []

    def _value(self, name: str, value: str) -> str:
        owner, own = self._databases.get(value, ("", ""))
        if owner and _USER_NAME.search(name):
            return value
        if owner and _DATABASE_NAME.search(name):
            return own
        try:
            return self._text(value)
        except CantBeSure as doubt:
            doubt.place = f"environment.{name}"
            raise

    def _host(self, text: str) -> str | None:
        """The shared service that a host name means."""
        service = self.names.get(text.lower())
        return service if service in self.parts else None

    def _beside_host(
        self, name: str, service: str, before: Mapping[str, str], after: Mapping[str, str]
    ) -> Iterator[tuple[str, str]]:
        """The database that goes with a variable such as REDIS_HOST."""
        part, place = self.parts[service], f"environment.{name}"
        if part.database is not None:
            if part.database[1] not in " ".join(after.values()):
                known = part.database[0]
                raise CantBeSure(
                    service,
                    f"{name} names it, but no variable names its database {known}",
                    f"name the database in a variable such as PGDATABASE: {known}",
                    place,
                )
            return
        match = HOST_NAME.match(name)
        prefix = match["prefix"] if match else ""
        fitting = re.compile(re.escape(prefix) + _INDEX_NAME, re.IGNORECASE)
        found = {
            key: number
            for key, value in before.items()
            if fitting.fullmatch(key) and (number := whole_number(value)) is not None
        }
        if not found:
            raise CantBeSure(
                service,
                f"{name} names it, but no variable names the logical database",
                f'add {prefix}DB: "0" if it is read there, or use a URL with /0 at its end',
                place,
            )
        for key, number in found.items():
            yield key, self._index(service, number)

    def _index(self, service: str, number: int) -> str:
        self.indexes[service] = max(self.indexes.get(service, 1), number + 1)
        return str(self.parts[service].first_index + number)

    def _text(self, text: str, *, flags: bool = False) -> str:
        if any(ord(char) >= _PRIVATE for char in text):
            return text
        pieces: list[str] = []

        def put(piece: str) -> str:
            pieces.append(piece)
            return chr(_PRIVATE + len(pieces) - 1)

        parts, place = list[str](), 0
        for url in find_urls(text):
            after = None if url.is_nested else self._url(text, url)
            if after is not None:
                parts += [text[place : url.start], put(after)]
                place = url.end
        rest = "".join([*parts, text[place:]])
        for known, (_, own) in self._databases.items():
            for pattern in (_KEYWORD, _FLAG)[: 1 + flags]:
                named = pattern.format(name=re.escape(known))
                rest = re.sub(named, rf"\g<1>{put(own)}", rest)
            rest = re.sub(self._authority(known), rf"\g<1>{put(own)}", rest)
        self._refuse_doubt(rest)
        return "".join(
            pieces[ord(char) - _PRIVATE] if 0 <= ord(char) - _PRIVATE < len(pieces) else char
            for char in rest
        )

    def _authority(self, known: str) -> str:
        """`db:5432/shop_e2e`, as at the end of a URL whose password has a / in it."""
        owner = self._databases[known][0]
        hosts = "|".join(
            re.escape(name) for name, service in self.names.items() if service == owner
        )
        return rf"(?i:(?<![\w.-])((?:{hosts})(?::\d+)?/)){re.escape(known)}(?![\w-])"

    def _url(self, text: str, url: Url) -> str | None:
        """A URL with the stack's own part; None where it leads elsewhere."""
        services = [self._host(host.host) for host in url.hosts]
        service = next((service for service in services if service is not None), None)
        is_read = url.hosts[-1].end == url.path_start and "#" not in url.path + url.query
        if service is None or not is_read:
            return None
        path, query = url.path, text[url.path_start + len(url.path) : url.end]
        database = self.parts[service].database
        if database is not None:
            if unquote(path[1:]) != database[0]:
                raise CantBeSure(
                    service,
                    f"a URL names the database {path[1:]!r}, not {database[0]!r}",
                    "name that database in it",
                )
            path = "/" + database[1]
        else:
            path, query = self._redis_url(service, url.scheme, path, query)
        return f"{text[url.start : url.path_start]}{path}{query}"

    def _redis_url(self, service: str, scheme: str, path: str, query: str) -> tuple[str, str]:
        number = _REDIS_PATH.fullmatch(path)
        if scheme.lower().split("+", 1)[0] not in _REDIS_SCHEMES or number is None:
            raise CantBeSure(
                service,
                f"a URL {scheme}://{service}{path} names no logical database",
                f"write it as redis://{service}:6379/0",
            )
        named = _QUERY_INDEX.search(query)
        if named is not None:
            own = self._index(service, int(named[0]))
            query = query[: named.start()] + own + query[named.end() :]
        if named is None or number[1]:
            path = "/" + self._index(service, int(number[1] or 0))
        return path, query

    def _refuse_doubt(self, rest: str) -> None:
        """Refuse what is left of a text if it still names a database or Redis."""
        for known, (service, _) in self._databases.items():
            if re.search(rf"(?<![\w-]){re.escape(known)}(?![\w-])", rest):
                raise CantBeSure(
                    service,
                    f"can't tell whether {known!r} is the name of the database",
                    f"name it in a URL such as postgresql://{service}/{known}, or in a variable "
                    "whose name ends in DB or DATABASE",
                )
        hosts = (
            match["host"]
            for pattern in (patterns.PAIR, patterns.KEYWORD_HOST, patterns.HOST_FLAG)
            for match in pattern.finditer(rest)
        )
        for named in map(self._host, hosts):
            if named is not None and self.parts[named].database is None:
                raise CantBeSure(
                    named,
                    f"{named} is named there without a logical database",
                    f"write it as redis://{named}:6379/0",
                )
