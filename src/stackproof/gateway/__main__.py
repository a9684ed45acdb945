"""The gateway as a program: python -m stackproof.gateway --host 127.0.0.1 --port 4000."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from stackproof.gateway.app import create_app
from stackproof.gateway.options import Options
from stackproof.gateway.strict_fields import ScriptError

GUIDE = """
A local stand-in for an OpenAI- and Anthropic-compatible provider. Point a client's base URL at
http://HOST:PORT/v1 (Anthropic: http://HOST:PORT), or at http://HOST:PORT/t/NAME/v1 for a
namespace of its own.

The reply is `echo: ` and the last user text, or TEXT after `Reply with exactly: TEXT`.
A model whose name has -fail-once- fails once, -always-fail- every time, -fail-3- three
times, -http429- with that status; -slow-, -cut- and -eof- answer so; every other name
succeeds. GET /_gateway/journal shows all calls.
"""
CUT_ON_PURPOSE = "ASGI callable returned without completing response."


def main() -> None:
    """Read the command line and serve until SIGTERM or Ctrl-C."""
    arguments = _parser().parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        app = create_app(_options(arguments))
    except ScriptError as error:
        sys.exit(f"{error}")
    logging.getLogger("stackproof.gateway").info(
        "serving an OpenAI-compatible API on http://%s:%s/v1", arguments.host, arguments.port
    )
    config = uvicorn.Config(
        app,
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: record.getMessage() != CUT_ON_PURPOSE
    )
    uvicorn.Server(config).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stackproof.gateway",
        description="A deterministic, OpenAI-compatible LLM provider for tests.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=4000, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--scripts", type=Path, metavar="FILE", help="YAML file of scripted replies"
    )
    parser.add_argument(
        "--concepts", type=Path, metavar="FILE", help="YAML file of synonyms for embeddings"
    )
    parser.add_argument(
        "--strict-namespaces", action="store_true", help="refuse requests that name no namespace"
    )
    return parser


def _options(arguments: argparse.Namespace) -> Options:
    return Options(
        scripts=arguments.scripts,
        concepts=arguments.concepts,
        strict_namespaces=arguments.strict_namespaces,
    )


if __name__ == "__main__":
    main()
