"""Where a command leads: its words, its options, and what a shell in it would run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stackproof.plan.addressing.clients import CLIENTS, Client, client_arguments
from stackproof.plan.addressing.hosts import is_host, is_loopback, parse_port, plain_host
from stackproof.plan.addressing.schemes import (
    kind_of_name,
    kind_port,
)
from stackproof.plan.addressing.targets import DEFAULT_HOST, Target
from stackproof.plan.addressing.values import bare, text_targets
from stackproof.plan.addressing.variables import environment_targets

_DIVIDERS = frozenset({";", "&&", "||", "|", "&", "(", ")", ";;", "\n"})
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"})
_SAYING = frozenset({"echo", "printf", ":", "#"})
_BINDING = frozenset({"--bind", "-b", "--listen", "--address", "--origins", "--allow-origins"})
_DEEPEST = 4


def command_targets(
    argv: Sequence[str], environment: Mapping[str, str], place: str, *, default_is_own: bool = False
) -> Iterator[Target]:
    """Every place that a command leads to.

    Args:
        argv: Program and arguments.
        environment: The variables that it gets.
        place: What the command is, for the targets.
        default_is_own: Whether a client that names no server would ask the service itself.
    """
    yield from _Reading(environment, place, default_is_own).words(list(argv), 0)


@dataclass(frozen=True)
class _Reading:
    environment: Mapping[str, str]
    place: str
    default_is_own: bool

    def words(self, words: list[str], depth: int) -> Iterator[Target]:
        """What one command leads to, without shell syntax around it."""
        assignments, rest = _assignments(words)
        if assignments:
            inner = replace(self, environment={**self.environment, **assignments})
            yield from inner.assigned(assignments)
            yield from inner.words(rest, depth)
            return
        if not words or words[0] in _SAYING:
            return
        program = words[0].rsplit("/", 1)[-1]
        script = shell_script(words) if program in _SHELLS else None
        if script is not None and depth < _DEEPEST:
            for part in shell_commands(script):
                yield from self.words([self._expanded(word) for word in part], depth + 1)
            return
        if program in CLIENTS:
            yield from self._client(CLIENTS[program], words[1:])
        yield from self._plain(words, is_client=program in CLIENTS)
        if depth < _DEEPEST:
            yield from self._behind(words, depth)

    def assigned(self, assignments: Mapping[str, str]) -> Iterator[Target]:
        """Where variables lead that a command sets, such as `DATABASE_URL=… serve`."""
        shown = {name: self._expanded(value) for name, value in assignments.items()}
        whole = {**self.environment, **shown}
        for target in environment_targets(whole):
            if target.place in shown:
                yield replace(target, place=f"{target.place} in its {self.place}")

    def _behind(self, words: list[str], depth: int) -> Iterator[Target]:
        """A client or shell that is started by another program: `timeout 5 psql …`, `exec …`."""
        for number, word in enumerate(words[1:], 1):
            name = word.rsplit("/", 1)[-1]
            if name in CLIENTS or (name in _SHELLS and shell_script(words[number:]) is not None):
                yield from self.words(words[number:], depth + 1)
                return
            if _is_assignment(word) and words[0].rsplit("/", 1)[-1] in {"env", "export", "exec"}:
                yield from self.words(words[number:], depth + 1)
                return

    def _expanded(self, word: str) -> str:
        """A word with the variables in it that the service's environment has."""
        if "$" not in word:
            return word
        parts = word.split("$")
        done = [parts[0]]
        for part in parts[1:]:
            name, rest = _variable(part)
            done.append(self.environment.get(name, f"${part}") + rest if name else f"${part}")
            if name and name not in self.environment:
                done[-1] = f"${part}"
        return "".join(done)

    def _plain(self, words: list[str], *, is_client: bool) -> Iterator[Target]:
        """Addresses in the words, and hosts that options such as `--db-host` name."""
        before = ""
        for word in words[1:]:
            text = bare(word)
            option, equals, value = word.partition("=")
            if not (option.startswith("-") and equals):
                option, value = before, text
            before = word
            if option in _BINDING:
                continue
            yield from text_targets(text, self.place, is_command=True)
            if equals and option.startswith("-") and "://" not in value:
                yield from text_targets(bare(value), self.place, is_command=True)
            host = plain_host(value)
            if not is_client and _names_host(option) and "." in host and is_host(host):
                kind = kind_of_name(option.strip("-").replace("-", "_"))
                yield Target(self.place, kind, host, kind_port(kind), None, f"{option} {host}")

    def _client(self, client: Client, words: list[str]) -> Iterator[Target]:
        host, port, name, address = client_arguments(client, words)
        if address is not None and ("://" in address or "=" in address or ":" in address):
            return  # read as a URL, connection string or pair with the other words
        if host is None and client.kind == "postgresql" and _has_default(self.environment):
            if name is None:
                return  # the environment's own targets say it all
            host = bare(self.environment.get("PGHOST") or self.environment.get("PGHOSTADDR") or "")
        plain = plain_host(self._expanded(host or DEFAULT_HOST))
        if any(char in plain for char in "$`("):
            return
        if self.default_is_own and port is None and is_loopback(plain):
            plain = DEFAULT_HOST  # its own port is what PGPORT says there
        number = parse_port(port or "")
        if number is None and client.kind == "postgresql":
            number = parse_port(bare(self.environment.get("PGPORT", "")))
        default = kind_port(client.kind) if number is None else number
        shown = f"{client.kind} at {plain or 'the default server'}"
        yield Target(self.place, client.kind, plain, default, name, shown)


def _has_default(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name) for name in ("PGHOST", "PGHOSTADDR", "PGSERVICE"))


def _variable(part: str) -> tuple[str, str]:
    """Name and rest of `{NAME}rest`, `{NAME:-default}rest` or `NAMErest`."""
    if part.startswith("{"):
        inside, closing, rest = part[1:].partition("}")
        name = inside.partition(":")[0].partition("-")[0]
        return (name, rest) if closing and name.isidentifier() else ("", part)
    end = 0
    while end < len(part) and (part[end].isalnum() or part[end] == "_"):
        end += 1
    return part[:end], part[end:]


def _names_host(option: str) -> bool:
    lower = option.lower()
    return lower.startswith("--") and (
        lower in {"--host", "--server", "--bootstrap-server"}
        or lower.endswith(("-host", "-server"))
    )


def _is_assignment(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _assignments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    for number, word in enumerate(words):
        if not _is_assignment(word):
            return found, words[number:]
        name, _, value = word.partition("=")
        found[name] = value
    return found, []


def shell_script(words: Sequence[str]) -> str | None:
    """The text after `-c`, also of `-lc` and `-ec`."""
    for number, word in enumerate(words[1:], 1):
        if word.startswith("-") and not word.startswith("--") and word.endswith("c"):
            return words[number + 1] if number + 1 < len(words) else None
    return None


def shell_commands(script: str) -> Iterator[list[str]]:
    """The single commands of a shell text; one that can't be read is divided at blanks."""
    lexer = shlex.shlex(script.replace("\n", ";"), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        tokens = list(lexer)
    except ValueError:
        tokens = script.split()
    part: list[str] = []
    for token in tokens:
        if token in _DIVIDERS or set(token) <= set(";&|()"):
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part
