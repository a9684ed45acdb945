"""Puts addresses of this machine where a text names container addresses; see `Translator`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from stackproof.plan.addressing import patterns
from stackproof.plan.addressing.addresses import (
    DOCKER_HOST,
    HOST,
    LOOPBACK,
    WILDCARD,
    Addresses,
)
from stackproof.plan.addressing.hosts import NO_PORT, parse_port
from stackproof.plan.addressing.paths import PathMap
from stackproof.plan.addressing.schemes import scheme_port
from stackproof.plan.addressing.urls import Written, find_urls

Kind = Literal["environment", "arguments", "command"]

_PRIVATE = 0xF0000  # Supplementary Private Use Area-A: no text has these characters


@dataclass
class Translated:
    """A text, or an argument of a command, after translation.

    Attributes:
        text: The text.
        rules: The rules that changed it, in the order in which their results stand there.
        problems: Names of services that stand there without a port that could be looked up.
    """

    text: str
    rules: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def rules_of(parts: Sequence[Translated]) -> str:
    """The rules that changed something, in words."""
    return ", ".join(dict.fromkeys(rule for part in parts for rule in part.rules))


class Translator:
    """Translates the texts of one service.

    Args:
        addresses: Names and ports of all services.
        service: Whose texts they are; its own ports are what `localhost` means in them.
        paths: Container paths and what they stand for.
    """

    def __init__(self, addresses: Addresses, service: str, paths: PathMap) -> None:
        self.addresses = addresses
        self.service = service
        self.paths = paths

    def value(self, text: str, kind: Kind) -> Translated:
        """Translate one text.

        Args:
            text: The value of a variable, or the arguments of a command joined by U+001F.
            kind: `environment` for a plain value, `arguments` for a value that holds options, and
                `command`; only the last two may have options such as `--port`.
        """
        work = _Work(self, text, kind)
        work.translate()
        return work.shown(work.text)

    def arguments(self, argv: Sequence[str]) -> list[Translated]:
        """Translate the arguments of a command; some may be added."""
        work = _Work(self, patterns.ARGUMENT_END.join(argv), "command")
        work.translate()
        return [work.shown(part) for part in work.text.split(patterns.ARGUMENT_END) if argv]


class _Work:
    """One text under translation; what is done is hidden from later rules by private characters."""

    def __init__(self, translator: Translator, text: str, kind: Kind) -> None:
        self.addresses = translator.addresses
        self.service = translator.service
        self.own = translator.addresses.ports.get(translator.service, {})
        self.paths = translator.paths
        self.kind = kind
        self.pieces: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.text = text

    def translate(self) -> None:
        if any(ord(char) >= _PRIVATE for char in self.text):
            return
        self._urls()
        self._rewrite(patterns.PAIR, self._pair)
        self._keywords()
        if self.kind != "environment":
            self._flags()
        self._own_addresses()
        self._paths()

    def shown(self, text: str) -> Translated:
        """A part of the text with what the private characters stand for."""
        used = [self.pieces[ord(char) - _PRIVATE] for char in text if self._is_piece(char)]
        waiting = iter(used)
        whole = "".join(next(waiting)[0] if self._is_piece(char) else char for char in text)
        rules = dict.fromkeys(rule for _, rule in used if rule)
        return Translated(whole, list(rules), self.problems)

    def _is_piece(self, char: str) -> bool:
        return 0 <= ord(char) - _PRIVATE < len(self.pieces)

    def _put(self, before: str, after: str, rule: str) -> str:
        self.pieces.append((after, rule if before != after else ""))
        return chr(_PRIVATE + len(self.pieces) - 1)

    def _rewrite(
        self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str | None]
    ) -> None:
        def translated(match: re.Match[str]) -> str:
            after = replace(match)
            return match[0] if after is None else after

        self.text = pattern.sub(translated, self.text)

    def _urls(self) -> None:
        parts: list[str] = []
        place = 0
        for url in find_urls(self.text):
            preferred = scheme_port(url.scheme)
            for host in url.hosts:
                before = self.text[host.start : host.end]
                after = self._authority(before, host, preferred)
                if after != before and host.start >= place:
                    parts += [self.text[place : host.start], self._put(before, after, "url")]
                    place = host.end
        self.text = "".join([*parts, self.text[place:]])

    def _authority(self, written: str, place: Written, preferred: int | None) -> str:
        host, named = place.host, parse_port(place.port)
        if named == NO_PORT:
            return written
        service = self.addresses.service(host)
        if service is None:
            return written if named is None else self._local(host, named)
        target = self.addresses.only_port(service, preferred) if named is None else named
        port = None if target is None else self.addresses.port(service, target)
        if port is None:
            self.problems.append(written)
            return written
        return f"{HOST}:{port}"

    def _local(self, host: str, target: int) -> str:
        """An address on the service's own machine: an own port, or one that the stack publishes."""
        written = f"{host}:{target}"
        kept = host if host in {"localhost", HOST} else HOST
        if host in LOOPBACK | WILDCARD and target in self.own:
            return f"{kept}:{self.own[target]}"
        if host in {"localhost", HOST, DOCKER_HOST} and target in self.addresses.published:
            return f"{kept}:{self.addresses.published[target]}"
        return f"{HOST}:{target}" if host == DOCKER_HOST else written

    def _pair(self, match: re.Match[str]) -> str | None:
        host, target = match["host"], int(match["port"])
        service = self.addresses.service(host)
        if service is not None:
            port = self.addresses.port(service, target)
            return None if port is None else self._put(match[0], f"{HOST}:{port}", "address")
        after = self._local(host, target)
        if host in LOOPBACK | WILDCARD | {DOCKER_HOST} and after != match[0]:
            return self._put(match[0], after, "own port" if target in self.own else "published")
        return None

    def _keywords(self) -> None:
        """`host=db port=5432`; a port that is left out is added."""
        match = patterns.KEYWORD_HOST.search(self.text)
        service = self.addresses.service(match["host"]) if match else None
        if match is None or service is None:
            return
        written = patterns.KEYWORD_PORT.search(self.text)
        target = int(written["port"]) if written else self.addresses.only_port(service)
        port = None if target is None else self.addresses.port(service, target)
        if port is None:
            self.problems.append(match["host"])
            return
        host = self._put(match["host"], HOST, "host")
        if written:
            self.text = _replace(self.text, written, "port", self._put("", str(port), "port"))
        else:
            separator = ";" if ";" in self.text else "&" if "?" in self.text else " "
            host += separator + self._put("", f"port={port}", "port")
        match = patterns.KEYWORD_HOST.search(self.text) or match
        self.text = _replace(self.text, match, "host", host)

    def _flags(self) -> None:
        peer: str | None = None

        def host(match: re.Match[str]) -> str | None:
            nonlocal peer
            peer = self.addresses.service(match["host"])
            if peer is None:
                return None
            after = self._put(match["host"], HOST, "host")
            if not patterns.PORT_FLAG.search(self.text):
                after += self._missing_port(peer, match)
            return match["flag"] + match["between"] + after

        self._rewrite(patterns.HOST_FLAG, host)
        if peer is not None:
            self._ports(patterns.PORT_FLAG, peer, "port")
        self._rewrite(patterns.HOST_AND_PORT, self._host_and_port)
        for pattern in (patterns.PORT_FLAG, patterns.PORT_DEFAULT, patterns.PORT_ARGUMENT):
            self._ports(pattern, self.service, "own port")

    def _missing_port(self, peer: str, match: re.Match[str]) -> str:
        target = self.addresses.only_port(peer)
        port = None if target is None else self.addresses.port(peer, target)
        if port is None or not patterns.CLIENTS.search(self.text):
            self.problems.append(match["host"])
            return ""
        between = match["between"].replace("=", " ")
        return f"{between}-p{between}{self._put('', str(port), 'port')}"

    def _ports(self, pattern: re.Pattern[str], service: str, rule: str) -> None:
        def translated(match: re.Match[str]) -> str | None:
            port = self.addresses.port(service, int(match["port"]))
            if port is None:
                return None
            return match["flag"] + match["between"] + self._put(match["port"], str(port), rule)

        self._rewrite(pattern, translated)

    def _host_and_port(self, match: re.Match[str]) -> str | None:
        service = self.addresses.service(match["host"])
        port = None if service is None else self.addresses.port(service, int(match["port"]))
        if port is None:
            return None
        host = self._put(match["host"], HOST, "host")
        return host + match["between"] + self._put(match["port"], str(port), "port")

    def _own_addresses(self) -> None:
        def bare(match: re.Match[str]) -> str | None:
            port = self.own.get(int(match["port"]))
            return None if port is None else self._put(match[0], f"{HOST}:{port}", "own port")

        self._rewrite(patterns.BARE_PORT, bare)
        if self.kind != "environment":
            self._rewrite(
                patterns.WILDCARD_ADDRESS, lambda match: self._put(match[0], HOST, "bind address")
            )

    def _paths(self) -> None:
        self._rewrite(
            self.paths.pattern,
            lambda match: self._put(match[0], self.paths.host_path(match[0]), "path"),
        )


def _replace(text: str, match: re.Match[str], group: str, after: str) -> str:
    return text[: match.start(group)] + after + text[match.end(group) :]
