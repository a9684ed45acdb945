"""The gateway as a program: python -m stackproof.gateway --host 127.0.0.1 --port 4000."""

from __future__ import annotations

import argparse
import logging
import sys

import uvicorn

from stackproof.gateway.app import create_app

GUIDE = """
A local stand-in for an OpenAI-compatible provider. Point a client's base URL at
http://HOST:PORT/v1, or at http://HOST:PORT/t/NAME/v1 for a namespace of its own.

The reply is `echo: ` and the last user text, or TEXT after `Reply with exactly: TEXT`.
A model whose name has -fail-once- fails once, -always-fail- every time, -fail-3- three
times, -http429- with that status; every other name succeeds. GET /_gateway/journal
shows all calls.
"""


def main() -> None:
    """Read the command line and serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m stackproof.gateway",
        description="A deterministic, OpenAI-compatible LLM provider for tests.",
        epilog=GUIDE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=4000, help="port to listen on (%(default)s)")
    arguments = parser.parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.getLogger("stackproof.gateway").info(
        "serving an OpenAI-compatible API on http://%s:%s/v1", arguments.host, arguments.port
    )
    uvicorn.run(
        create_app(),
        host=arguments.host,
        port=arguments.port,
        access_log=False,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
