"""The start of a gateway on a real socket, and its client in the namespace of a test."""

import contextlib
import socket
import threading

import pytest
import uvicorn
from packages.gateway.tests.rig import TOKEN

from stackproof.waiting import wait_until
from stackproof_gateway.app import create_app
from stackproof_gateway.client import GatewayClient
from stackproof_gateway.options import Options


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
    with serving() as url:
        yield url


@pytest.fixture
def gateway(server, request):
    """The client of the gateway, in a namespace of the test's own."""
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:80]
    client = GatewayClient(server, name.strip("-"), TOKEN)
    client.reset()
    yield client
    client.close()
