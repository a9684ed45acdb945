import contextlib
import logging
import os
import socket
import threading

import pytest
import uvicorn

from stackproof.gateway.app import create_app
from stackproof.gateway.client import GatewayClient
from stackproof.gateway.options import Options
from stackproof.waiting import wait_until

TOKEN = "token-of-the-tests"

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # read at its import, which would ask for news


def pytest_configure(config):
    """The clients warn about each other's future; only the gateway's own warnings count here."""
    config.addinivalue_line("filterwarnings", "default")


@contextlib.contextmanager
def serving(**options):
    """A gateway on a real socket of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        app = create_app(Options(**{"token": TOKEN, **options}))
        config = uvicorn.Config(
            app,
            log_level="critical",
            lifespan="on",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: running.started, timeout=20, what="the gateway serves")
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def server():
    """The gateway that the tests share."""
    logging.getLogger("LiteLLM").setLevel(logging.CRITICAL)
    with serving() as url:
        yield url


@pytest.fixture
def gateway(server, request):
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:80]
    client = GatewayClient(server, name.strip("-"), TOKEN)
    client.reset()
    yield client
    client.close()
