"""The gateway's command line and environment."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stackproof.gateway.options import MODES, Options
from stackproof.gateway.strict_fields import ScriptError
from stackproof.redaction.names import tells_a_secret

GUIDE = """
A local stand-in for an OpenAI- and Anthropic-compatible provider. Point a client's base URL at
http://HOST:PORT/v1 (Anthropic: http://HOST:PORT), or at http://HOST:PORT/t/NAME/v1 for a
namespace of its own.

The reply is `echo: ` and the last user text, or TEXT after `Reply with exactly: TEXT`.
A model whose name has -fail-once- fails once, -always-fail- every time, -fail-3- three
times, -http429- with that status; -slow-, -cut- and -eof- answer so; every other name
succeeds. GET /_gateway/journal shows all calls.

The control interface (/_gateway) needs a token, and so does every call in the modes record and
live: in the path (/k/TOKEN/v1), in the header X-Gateway-Token, or as the API key. GATEWAY_TOKEN
sets it; else one is made and printed.

record, live and check ask the real provider: with its key in GATEWAY_OPENAI_KEY or
GATEWAY_ANTHROPIC_KEY, and within --budget-usd. Recordings hold none of the secrets in its
environment, nor those of GATEWAY_SECRETS, a JSON list. Every option can also be given in the
environment: GATEWAY_BUDGET_USD for --budget-usd, and so on.
"""
PREFIX = "GATEWAY_"

SHORTEST_OWN = 8
"""Characters of a secret of this process's environment; a recording must not depend on a word."""
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """What the gateway can be told.

    Args:
        environment: Variables that give other defaults.
    """
    made = argparse.ArgumentParser(
        prog="python -m stackproof.gateway",
        description="A deterministic, OpenAI-compatible LLM provider for tests.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--host", type=_host, default=Options.host,
        help="address to listen on (%(default)s); 0.0.0.0 for all, as in a container",
    )  # fmt: skip
    made.add_argument("--port", type=int, default=4000, help="port to listen on (%(default)s)")
    _add_doors(made)
    made.add_argument("--scripts", type=Path, metavar="FILE", help="YAML file of scripted replies")
    made.add_argument(
        "--concepts", type=Path, metavar="FILE", help="YAML file of synonyms for embeddings"
    )
    made.add_argument(
        "--strict-namespaces", action="store_true", help="refuse requests that name no namespace"
    )
    made.add_argument(
        "--llm", choices=[*MODES, "check"], default="fake",
        help="who answers; check asks again what was recorded, reports, and ends (%(default)s)",
    )  # fmt: skip
    _add_provider_options(made)
    given = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and value
    }
    known = {action.dest: action for action in made._actions}  # noqa: SLF001 - has no public list
    made.set_defaults(
        **{key: _converted(made, known[key], value) for key, value in given.items() if key in known}
    )
    return made


def _add_doors(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--allowed-host", dest="allowed_hosts", action="append", default=[], metavar="NAME",
        help="a further name that it answers to (.NAME: all below it); can be repeated, or have "
        "commas",
    )  # fmt: skip
    made.add_argument(
        "--allowed-origin", dest="allowed_origins", action="append", default=[], metavar="ORIGIN",
        help="an origin whose pages may use it, such as http://localhost:3000; the same",
    )  # fmt: skip


def _host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty address would mean all; write 0.0.0.0 for that")
    return text


def _listed(values: list[str]) -> tuple[str, ...]:
    return tuple(one.strip() for value in values for one in value.split(",") if one.strip())


def _token(environment: Mapping[str, str]) -> str:
    found = environment.get("GATEWAY_TOKEN", "")
    if found and not TOKEN.fullmatch(found):
        raise ScriptError(
            "a token is 16 or more letters, digits, - and _, since it stands in addresses; make "
            "one with `openssl rand -hex 16`", "GATEWAY_TOKEN",
        )  # fmt: skip
    return found


def _converted(made: argparse.ArgumentParser, action: argparse.Action, value: str) -> object:
    if action.nargs == 0:
        return value.lower() not in {"0", "false", "no"}
    try:
        found: object = made._get_value(action, value)  # noqa: SLF001 - converts as the command line does
        made._check_value(action, found)  # noqa: SLF001 - same
    except argparse.ArgumentError as error:
        made.error(f"environment {PREFIX}{action.dest.upper()}: {error.message}")
    return [found] if isinstance(action, argparse._AppendAction) else found  # noqa: SLF001 - same


def _add_provider_options(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("recordings and the real provider")
    group.add_argument("--cassettes", type=Path, metavar="FOLDER", help="folder of recordings")
    group.add_argument(
        "--ignore", action="append", default=[], metavar="FIELD",
        help="field of a request that recordings are not matched on; can be repeated",
    )  # fmt: skip
    group.add_argument("--budget-usd", type=_usd, metavar="USD", help="US dollars to spend")
    group.add_argument("--budget-requests", type=int, metavar="N", help="requests to send")
    group.add_argument("--budget-tokens", type=int, metavar="N", help="tokens to use")
    group.add_argument(
        "--ledger", type=Path, metavar="FILE", default=Options.ledger,
        help="file that remembers what was spent (%(default)s)",
    )  # fmt: skip
    group.add_argument("--prices", type=Path, metavar="FILE", help="YAML file of further prices")
    group.add_argument("--openai-url", default=Options.openai_url, help="(%(default)s)")
    group.add_argument("--anthropic-url", default=Options.anthropic_url, help="(%(default)s)")


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount of US dollars")
    return value


def options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Options:
    """The settings of a gateway.

    Args:
        arguments: The command line.
        environment: Variables that hold the keys and the token.

    Raises:
        ScriptError: If the token is not one.
    """
    return Options(
        host=arguments.host,
        allowed_hosts=_listed(arguments.allowed_hosts),
        allowed_origins=_listed(arguments.allowed_origins),
        token=_token(environment),
        scripts=arguments.scripts,
        concepts=arguments.concepts,
        strict_namespaces=arguments.strict_namespaces,
        llm=arguments.llm,
        cassettes=arguments.cassettes,
        ignore=tuple(arguments.ignore),
        openai_url=arguments.openai_url,
        openai_key=environment.get("GATEWAY_OPENAI_KEY", ""),
        anthropic_url=arguments.anthropic_url,
        anthropic_key=environment.get("GATEWAY_ANTHROPIC_KEY", ""),
        secrets=tuple(_secrets(environment)),
        budget_usd=arguments.budget_usd,
        budget_requests=arguments.budget_requests,
        budget_tokens=arguments.budget_tokens,
        ledger=arguments.ledger,
        prices=arguments.prices,
    )


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """What recordings must not hold: the secrets of the stack, and those of this process."""
    own = (value for name, value in environment.items() if tells_a_secret(name))
    yield from (value for value in own if len(value) >= SHORTEST_OWN)
    listed = environment.get("GATEWAY_SECRETS", "")
    if listed:
        yield from _json_list(listed)


def _json_list(text: str) -> list[str]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ScriptError("it is a JSON list of texts", "GATEWAY_SECRETS")
    return found
