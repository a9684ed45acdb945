"""Translates environments: separate HOST and PORT variables besides the addresses in values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stackproof.plan.addressing.addresses import HOST, LOOPBACK, WILDCARD
from stackproof.plan.addressing.translation import Kind, Translator
from stackproof.plan.model import Translation
from stackproof.stack_file.reading.scalars import whole_number

HOST_NAME = re.compile(
    r"^(?!(?:.*_)?VHOST$)(?P<prefix>.*?)(?:HOST|HOSTNAME|SERVER|ADDR|ADDRESS|ENDPOINT)$",
    re.IGNORECASE,
)
_PORT_NAME = re.compile(r"^(?P<prefix>.*)PORT$", re.IGNORECASE)
_BIND_NAME = re.compile(r"(?:HOST|BIND|ADDR|ADDRESS|LISTEN|INTERFACE|IP)$", re.IGNORECASE)
_OPTIONS_NAME = re.compile(r"(?:ARGS|OPTS|OPTIONS|FLAGS|CMD|COMMAND)$", re.IGNORECASE)
_ALLOWED_HOSTS = re.compile(r"ALLOWED_HOSTS$", re.IGNORECASE)
_SEPARATE_HOSTS = ("HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS", "ENDPOINT")


@dataclass
class TranslatedEnvironment:
    """An environment after translation.

    Attributes:
        values: The variables.
        translations: What was changed.
        notices: What could not be decided.
    """

    values: dict[str, str] = field(default_factory=dict)
    translations: list[Translation] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


def translate_environment(
    translator: Translator, environment: Mapping[str, str]
) -> TranslatedEnvironment:
    """Translate every variable of a service.

    Args:
        translator: Of the service.
        environment: Its variables as the stack file and the settings have them.
    """
    return _Work(translator, environment).done()


class _Work:
    def __init__(self, translator: Translator, environment: Mapping[str, str]) -> None:
        self.translator = translator
        self.addresses = translator.addresses
        self.service = translator.service
        self.before = environment
        self.result = TranslatedEnvironment(dict(environment))

    def done(self) -> TranslatedEnvironment:
        for name, value in self.before.items():
            if not (self._host(name, value) or self._port(name, value) or self._bind(name, value)):
                self._text(name, value)
        return self.result

    def _set(self, name: str, after: str, rule: str) -> None:
        before = self.before.get(name, "")
        if self.result.values.get(name) != after:
            self.result.values[name] = after
            self.result.translations.append(
                Translation(self.service, f"environment {name}", before, after, rule)
            )

    def _notice(self, text: str) -> None:
        self.result.notices.append(f"{self.service}: {text}")

    def _host(self, name: str, value: str) -> bool:
        match = HOST_NAME.match(name)
        peer = self.addresses.service(value)
        if match is None or peer is None or name == "HOSTNAME":
            return False
        self._set(name, HOST, "host")
        port_name = match["prefix"] + ("port" if name.islower() else "PORT")
        if port_name in self.before:
            self._check_port_of(name, peer, port_name)
        else:
            self._add_port(name, peer, port_name)
        return True

    def _check_port_of(self, name: str, peer: str, port_name: str) -> None:
        written = self.before[port_name]
        target = whole_number(written)
        if target is None or self.addresses.port(peer, target) is None:
            self._notice(
                f"{name} names {peer}, but {port_name}={written} is not one of its container "
                f"ports; add it under `expose` of {peer}"
            )

    def _add_port(self, name: str, peer: str, port_name: str) -> None:
        target = self.addresses.only_port(peer)
        port = None if target is None else self.addresses.port(peer, target)
        if target is None or port is None:
            self._notice(
                f"{name} names {peer}, whose port is unknown; add {port_name} to its environment"
            )
            return
        self._set(port_name, str(port), "port")
        if port_name != "PGPORT" and port != target:  # libpq always reads PGPORT
            self._notice(
                f"{name} names {peer} and no variable names its port, so {port_name}={port} was "
                f"added; a program that doesn't read {port_name} needs `ports: {{{peer}: "
                f"{target}}}` in the stack config"
            )

    def _port(self, name: str, value: str) -> bool:
        match = _PORT_NAME.match(name)
        target = whole_number(value)
        if match is None or target is None:
            return False
        prefix = match["prefix"]
        hosts = [self.before[name] for name in self._host_names(prefix) if name in self.before]
        peers = [peer for host in hosts if (peer := self.addresses.service(host)) is not None]
        if not peers and any(host not in LOOPBACK | WILDCARD for host in hosts):
            return True  # it belongs to a host outside the stack
        by_prefix = self.addresses.by_variable.get(prefix.rstrip("_").upper(), ())
        for candidate in (*peers, *by_prefix, self.service):
            port = self.addresses.port(candidate, target)
            if port is not None:
                self._set(name, str(port), "own port" if candidate == self.service else "port")
                return True
        return True

    def _host_names(self, prefix: str) -> list[str]:
        names = [prefix + end for end in _SEPARATE_HOSTS]
        return [*names, *(prefix + end.lower() for end in _SEPARATE_HOSTS)]

    def _bind(self, name: str, value: str) -> bool:
        if value in WILDCARD - {"*"} and _BIND_NAME.search(name):
            self._set(name, HOST, "bind address")
            return True
        if _ALLOWED_HOSTS.search(name) and HOST not in value and "*" not in value:
            self._notice(
                f"{name} does not contain {HOST}, the address that services and tests use; add it "
                f"under `environment` of {self.service} in the stack config"
            )
        return False

    def _text(self, name: str, value: str) -> None:
        kind: Kind = "arguments" if _OPTIONS_NAME.search(name) else "environment"
        done = self.translator.value(value, kind)
        if done.text != value:
            self._set(name, done.text, ", ".join(done.rules))
        for host in done.problems:
            self._notice(f"{name} names {host}, which has no such port; see `expose`")
