"""The gateway as a program: python -m stackproof_gateway --host 127.0.0.1 --port 4000."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Iterator

import uvicorn

from stackproof_gateway.app import create_app
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.options import ASKING, Options
from stackproof_gateway.provider.budget import BudgetSpentError
from stackproof_gateway.provider.drift import Drift, status_of
from stackproof_gateway.provider.prices import UnpricedError
from stackproof_gateway.provider.starting import make_check
from stackproof_gateway.settings import options, parser
from stackproof_gateway.strict_fields import ScriptError

RARE_COLLECTIONS = (20_000, 20, 50)
"""The journal keeps many small objects; looking through them after each few calls costs a fifth."""

CUT_ON_PURPOSE = "ASGI callable returned without completing response."

log = logging.getLogger("stackproof_gateway")


def main() -> None:
    """Read the command line and serve until SIGTERM or Ctrl-C, or check the recordings."""
    arguments = parser(os.environ).parse_args()
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # not shown
    logging._srcfile = None  # noqa: SLF001 - as Python's logging HOWTO has it, under "Optimization"
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        told = options(arguments, os.environ)
        if told.llm == "check":
            sys.exit(asyncio.run(_check(told)))
        _serve(told, arguments.port)
    except ScriptError as error:
        sys.exit(f"{error}")


def _serve(told: Options, port: int) -> None:
    app = create_app(told)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # it is a text file
    app.state.say = sys.stdout.write  # a line a call through logging costs a tenth of it
    gc.freeze()
    gc.set_threshold(*RARE_COLLECTIONS)
    for line in _welcome(told, port, app.state.token):
        log.info("%s", line)
    config = uvicorn.Config(
        app,
        host=told.host,
        port=port,
        proxy_headers=False,
        access_log=False,
        log_level="warning",
        lifespan="on",
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").addFilter(
        lambda record: record.getMessage() != CUT_ON_PURPOSE
    )
    uvicorn.Server(config).run()


def _welcome(told: Options, port: int, token: str) -> Iterator[str]:
    """What a person needs in order to use it; a token that was given is known and not shown."""
    address = f"http://{f'[{told.host}]' if ':' in told.host else told.host}:{port}"
    yield f"serving an OpenAI-compatible API on {address}/v1 ({told.llm})"
    if told.token:
        return
    if told.llm in ASKING:
        yield f"calls cost money, so they need the token: base URL {address}/k/{token}/v1"
    yield f"control interface: {address}/k/{token}/_gateway/journal (GATEWAY_TOKEN sets the token)"


async def _check(told: Options) -> int:
    """Ask the provider again what was recorded; 1 if answers have changed, 2 if unsure."""
    import httpx  # only here: it takes a third of the gateway's start

    checking, cassettes = make_check(told)
    drifts: list[Drift] = []
    try:
        for cassette in cassettes.by_key.values():
            for drift in await checking.check(cassette):
                log.info("%s", drift)
                drifts.append(drift)
    except (BudgetSpentError, UnpricedError, ProviderError, httpx.HTTPError) as error:
        log.info("the check stopped early: %s", error)
        return 2
    finally:
        await checking.forwarder.close()
        log.info("%s", checking.budget.summary())
    verdict, status = status_of(drifts)
    log.info("%s", verdict)
    return status


if __name__ == "__main__":
    main()
