"""Turns a health check into the probe that asks the same without the image's own programs."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Sequence
from urllib.parse import urlsplit

from stackproof.plan.services.known_images import KnownImage
from stackproof.readiness.probes import (
    AmqpProbe,
    CommandProbe,
    HttpProbe,
    PostgresProbe,
    Probe,
    RedisProbe,
    TcpProbe,
)
from stackproof.stack_file.reading.scalars import whole_number

_OR_FAIL = re.compile(r"(?<!\s)\s*+\|\|\s*+(?:exit\s++\d++|false)\s*+;?\s*+$")
_SHELL = re.compile(r"[|&;<>`]|\$\(")
_URL_OPEN = re.compile(
    r"(?:urlopen|\bget)\(\s*(?:url\s*=\s*)?(?P<quote>['\"])(?P<url>http://[^'\"]+)(?P=quote)"
)
_JUDGES_CONTENT = re.compile(r"json|assert\b|\.text\b|\.content\b|Request\(")
_PLAIN_FLAGS = re.compile(
    r"^-[fsSLkqIgO]+$|^--(?:fail|silent|show-error|location|spider|quiet|head|no-verbose)$"
)
_FLAGS_WITH_VALUE = frozenset(
    {"-o", "-m", "-T", "-t", "-O", "--max-time", "--connect-timeout", "--retry", "--output",
     "--retry-delay", "--timeout", "--tries", "--output-document"}
)  # fmt: skip


def probe_for(test: Sequence[str], known: KnownImage | None, native: Probe | None) -> Probe | None:
    """The probe for a health check whose addresses are translated.

    Args:
        test: The canonical list: CMD with arguments, CMD-SHELL with a text, or NONE.
        known: The image that the service runs; None for a project.
        native: The probe that fits this image.

    Returns:
        The probe; None for a test that is empty or NONE.
    """
    if not test or test[0] == "NONE" or len(test) == 1:
        return None
    words = list(test[1:]) if test[0] == "CMD" else _shell_words(test[1])
    if words is not None and len(words) == 3 and words[:2] in (["/bin/sh", "-c"], ["sh", "-c"]):  # noqa: PLR2004
        words = _shell_words(words[2])
    if known is not None and native is not None and _asks_native(test, known):
        return native
    found = _idiom(words) if words else None
    if found is not None:
        return found
    return CommandProbe(tuple(test[1:]) if test[0] == "CMD" else ("/bin/sh", "-c", test[1]))


def _shell_words(text: str) -> list[str] | None:
    """The words of a single command with nothing but `|| exit 1` after it; None for more."""
    command = _OR_FAIL.sub("", text)
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    outside_quotes = re.sub(r"'[^']*'|\"[^\"`$]*\"", "", command)
    return None if _SHELL.search(outside_quotes) else words


def _asks_native(test: Sequence[str], known: KnownImage) -> bool:
    text = " ".join(test[1:])
    if known.name == "rabbitmq":
        return all(map(_asks_broker, re.split(r"&&", _OR_FAIL.sub("", text))))
    program = _CLIENTS.get(known.scheme)
    return program is not None and re.search(program, text) is not None


_CLIENTS = {
    "postgresql": r"\bpg_isready\b|\bpsql\b",
    "redis": r"\b(?:redis|valkey)-cli\b",
    "mysql": r"\b(?:mysqladmin|mariadb-admin)\b.*\bping\b|\bhealthcheck\.sh\b",
}
"""Scheme of a server → the commands of its image that ask whether it answers."""

_BROKER_OPTIONS = frozenset({"-q", "--quiet", "-s", "--silent"})
_BROKER_ANSWERS = frozenset(
    {"ping", "check_running", "check_port_connectivity", "status", "await_startup",
     "node_health_check"}
)  # fmt: skip


def _asks_broker(command: str) -> bool:
    """Whether a command asks a broker only what a handshake shows: it has started and answers."""
    words = _shell_words(command) or [""]
    asked = [word for word in words[1:] if word not in _BROKER_OPTIONS]
    is_tool = words[0].rsplit("/", 1)[-1] in {"rabbitmq-diagnostics", "rabbitmqctl"}
    return is_tool and len(asked) == 1 and asked[0] in _BROKER_ANSWERS


def _idiom(words: Sequence[str]) -> Probe | None:
    program = words[0].rsplit("/", 1)[-1]
    if program in {"curl", "wget"}:
        return _http_client(program, words[1:])
    if re.fullmatch(r"python[\d.]*", program) and len(words) == 3 and words[1] == "-c":  # noqa: PLR2004 - python -c code
        return _python(words[2])
    if program in {"nc", "ncat", "netcat"}:
        return _netcat(words[1:])
    return None


def _http_client(program: str, arguments: Sequence[str]) -> Probe | None:
    urls: list[str] = []
    rest = iter(arguments)
    for word in rest:
        if word in _FLAGS_WITH_VALUE and not (program == "curl" and word in {"-O", "-T"}):
            next(rest, None)
        elif not word.startswith("-"):
            urls.append(word if "://" in word else f"http://{word}")
        elif not _PLAIN_FLAGS.match(word) and not re.match(
            r"(?>-[a-zA-Z]*[mtToO])\S*+$|--[\w-]++=", word
        ):
            return None
    if len(urls) != 1 or not is_http(urls[0]) or "$" in urls[0]:
        return None
    strict = program == "wget" or any(re.match(r"-\w*f|--fail", word) for word in arguments)
    return HttpProbe(urls[0]) if strict else _tcp(urls[0])


def _tcp(url: str) -> Probe | None:
    """Without --fail any answer will do, whatever its status."""
    match = re.match(r"http://([\w.\-]+):(\d{1,5})(?!\d)", url)
    return TcpProbe(match[1], int(match[2])) if match else None


def _python(code: str) -> Probe | None:
    match = _URL_OPEN.search(code)
    if match is None or _JUDGES_CONTENT.search(code) or not _drops_what_it_reads(code):
        return None
    if "urlopen" not in match[0] and "raise_for_status" not in code:
        return None
    return HttpProbe(match["url"]) if is_http(match["url"]) else None


def _drops_what_it_reads(code: str) -> bool:
    """Whether a program only reads or prints answers, as `urlopen(…).read()` does."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    reads = {node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "read"}
    for statement in nodes:
        if isinstance(statement, ast.Expr):
            value = statement.value
            if isinstance(value, ast.Call) and ast.unparse(value.func) == "print":
                value = value.args[0] if len(value.args) == 1 else value
            while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
                reads.discard(value.func)
                value = value.func.value
    return not reads


def is_http(url: str) -> bool:
    """Whether a URL can be asked: not `http://[::1/`, and no port above the last one."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _netcat(arguments: Sequence[str]) -> Probe | None:
    places = [word for word in arguments if not word.startswith("-")]
    if "-z" not in " ".join(arguments) and not any(
        "z" in argument for argument in arguments if argument[0] == "-"
    ):
        return None
    port = whole_number(places[-1]) if len(places) >= 2 else None  # noqa: PLR2004 - host and port
    return None if port is None else TcpProbe(places[-2], port)


def is_replaced(probe: Probe | None) -> bool:
    """Whether a probe asks in another way than the health check's own command."""
    return isinstance(probe, AmqpProbe | HttpProbe | PostgresProbe | RedisProbe | TcpProbe)
