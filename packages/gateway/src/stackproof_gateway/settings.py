"""The gateway's command line and environment."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stackproof_gateway.options import MODES, Options
from stackproof_gateway.schema_answers import MOST_ITEMS
from stackproof_gateway.server_rules import DIALECTS
from stackproof_gateway.strict_fields import ScriptError
from stackproof_redaction.names import tells_a_secret

GUIDE = """
Set a client's base URL to http://HOST:PORT/v1 (Anthropic, Gemini: http://HOST:PORT), or to
http://HOST:PORT/t/NAME/v1 for a namespace of its own.

The reply is `echo: ` and the last user text, or TEXT after `Reply with exactly: TEXT`.
The name of the model can ask for a fault: with -fail-once- the first call fails, with -fail-3-
three calls, with -always-fail- every call; -http429- sets the status; -slow-, -cut- and -eof-
delay, cut or end the answer early. All other models succeed. GET /_gateway/journal lists all calls.

The control interface (/_gateway) needs a token, and so does every call in the modes record and
live. Send it in the path (/k/TOKEN/v1), in the header X-Gateway-Token, or as the API key.
GATEWAY_TOKEN sets it; without it, the gateway makes one and prints it.

record, live and check call the real provider. They need its key in GATEWAY_OPENAI_KEY,
GATEWAY_ANTHROPIC_KEY or GATEWAY_GEMINI_KEY, and --budget-usd. Secrets of the environment, and those
in GATEWAY_SECRETS (a JSON list), are masked in recordings. Every option is also a variable:
GATEWAY_BUDGET_USD sets --budget-usd, and so on.
"""
PREFIX = "GATEWAY_"

SHORTEST_OWN = 8
"""Characters of a secret of this process's environment; a recording must not depend on a word."""
NEXT_CLASS = re.compile(r",\s*(?=[a-z][a-z0-9-]*(?:[=,]|$))")
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The command line.

    Args:
        environment: Variables that give other defaults.
    """
    made = argparse.ArgumentParser(
        prog="python -m stackproof_gateway",
        description="A local LLM provider for tests, compatible with OpenAI, Anthropic and Gemini.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument(
        "--host", type=_host, default=Options.host,
        help="address to listen on (%(default)s); a container needs 0.0.0.0",
    )  # fmt: skip
    made.add_argument("--port", type=int, default=4000, help="port to listen on (%(default)s)")
    _add_doors(made)
    made.add_argument("--scripts", type=Path, metavar="FILE", help="YAML file of scripted replies")
    made.add_argument(
        "--concepts", type=Path, metavar="FILE", help="YAML file of synonyms for embeddings"
    )
    made.add_argument(
        "--array-items", type=_items, metavar="N", default=Options.array_items,
        help="items of each array in an answer by schema, 0 to 100, where the schema allows it "
        "(%(default)s)",
    )  # fmt: skip
    _add_strictness(made)
    made.add_argument(
        "--llm", choices=[*MODES, "check"], default="fake",
        help="who answers: fake by itself, replay from recordings, record and live the real "
        "provider; check compares recordings with the real provider and exits (%(default)s)",
    )  # fmt: skip
    _add_provider_options(made)
    given = _given(environment)
    known = {action.dest: action for action in made._actions}  # noqa: SLF001 - has no public list
    made.set_defaults(
        **{key: _converted(made, known[key], value) for key, value in given.items() if key in known}
    )
    return made


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    """What the environment sets, by the names of options; two names of one add up."""
    given = {
        key.removeprefix(PREFIX).lower(): value
        for key, value in environment.items()
        if key.startswith(PREFIX) and value
    }
    origins = [given.pop(name, "") for name in ("allowed_origins", "cors_origin")]
    return {**given, "allowed_origins": ",".join(filter(None, origins))}


def _add_strictness(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--model-rules", type=Path, metavar="FILE",
        help="YAML file with more rules of what models refuse",
    )  # fmt: skip
    made.add_argument(
        "--strict-namespaces", action="store_true", help="refuse requests without a namespace"
    )
    made.add_argument(
        "--dialect", choices=DIALECTS, default=Options.dialect,
        help="server that it stands for, where that takes other requests than OpenAI, has other "
        "paths, or answers in another form (%(default)s)",
    )  # fmt: skip


def _add_doors(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--allowed-host", dest="allowed_hosts", action="append", default=[], metavar="NAME",
        help="another host name of this gateway; .NAME for all names below it; repeat the "
        "option, or use commas",
    )  # fmt: skip
    made.add_argument(
        "--allowed-origin", "--cors-origin", dest="allowed_origins", action="append", default=[],
        metavar="ORIGIN", help="origin of web pages that may call it, such as "
        "http://localhost:3000; without it CORS is off; repeat the option, or use commas",
    )  # fmt: skip


def _items(text: str) -> int:
    if not text.isdecimal() or len(text) > len(str(MOST_ITEMS)) or int(text) > MOST_ITEMS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to {MOST_ITEMS}")
    return int(text)


def _host(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(
            "the address is empty; use 0.0.0.0 to listen on all addresses"
        )
    return text


def _listed(values: list[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _classes(values: list[str]) -> tuple[str, ...]:
    """Names and own expressions, which may have commas in them."""
    return tuple(part.strip() for value in values for part in NEXT_CLASS.split(value) if part)


def _token(environment: Mapping[str, str]) -> str:
    found = environment.get("GATEWAY_TOKEN", "")
    if found and not TOKEN.fullmatch(found):
        raise ScriptError(
            "must have 16 to 200 letters, digits, - or _, since it is part of URLs; make a token "
            "with `openssl rand -hex 16`", "GATEWAY_TOKEN",
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
        help="request field that replay ignores when it looks for a recording; can be repeated",
    )  # fmt: skip
    group.add_argument(
        "--changing", action="append", default=[], metavar="CLASS",
        help="values that differ from run to run and are matched by placeholders: names, with "
        "commas or repeated, `default` for the usual ones, `none`, or your own as "
        "NAME=EXPRESSION (default)",
    )  # fmt: skip
    group.add_argument("--budget-usd", type=_usd, metavar="USD", help="most US dollars to spend")
    group.add_argument("--budget-requests", type=int, metavar="N", help="most requests to send")
    group.add_argument("--budget-tokens", type=int, metavar="N", help="most tokens to use")
    group.add_argument(
        "--ledger", type=Path, metavar="FILE", default=Options.ledger,
        help="file that keeps what was spent (%(default)s)",
    )  # fmt: skip
    group.add_argument("--prices", type=Path, metavar="FILE", help="YAML file with more prices")
    group.add_argument("--openai-url", default=Options.openai_url, help="real OpenAI (%(default)s)")
    group.add_argument(
        "--anthropic-url", default=Options.anthropic_url, help="real Anthropic (%(default)s)"
    )
    group.add_argument("--gemini-url", default=Options.gemini_url, help="real Gemini (%(default)s)")


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount in US dollars")
    return value


def options(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Options:
    """The settings of a gateway.

    Args:
        arguments: The command line.
        environment: Variables that hold the keys and the token.

    Raises:
        ScriptError: If the token or the list of secrets is malformed, or two options exclude
            each other.
    """
    if arguments.dialect == "azure" and arguments.llm != "fake":
        raise ScriptError(
            f"azure can't be combined with --llm {arguments.llm}, since calls are passed on and "
            "recorded by OpenAI's paths; leave it out and give the client the base URL "
            "/openai/v1 of the resource as --openai-url", "--dialect",
        )  # fmt: skip
    return Options(
        host=arguments.host,
        allowed_hosts=_listed(arguments.allowed_hosts),
        allowed_origins=_listed(arguments.allowed_origins),
        token=_token(environment),
        scripts=arguments.scripts,
        concepts=arguments.concepts,
        array_items=arguments.array_items,
        model_rules=arguments.model_rules,
        strict_namespaces=arguments.strict_namespaces,
        dialect=arguments.dialect,
        llm=arguments.llm,
        cassettes=arguments.cassettes,
        ignore=tuple(arguments.ignore),
        changing=_classes(arguments.changing) or Options.changing,
        openai_url=arguments.openai_url,
        openai_key=environment.get("GATEWAY_OPENAI_KEY", ""),
        anthropic_url=arguments.anthropic_url,
        anthropic_key=environment.get("GATEWAY_ANTHROPIC_KEY", ""),
        gemini_url=arguments.gemini_url,
        gemini_key=environment.get("GATEWAY_GEMINI_KEY", ""),
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
    if not isinstance(found, list) or not all(isinstance(secret, str) for secret in found):
        raise ScriptError("must be a JSON list of strings", "GATEWAY_SECRETS")
    return found
