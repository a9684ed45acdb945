import contextlib
import socket
import threading

import httpx
import openai
import pytest
import uvicorn
from tests.unit.gateway.bare_app import Spending
from tests.unit.gateway.rig import TOKEN, Rig

from stackproof.gateway.app import create_app
from stackproof.gateway.client import GatewayClient
from stackproof.gateway.options import Options
from stackproof.waiting import wait_until


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
def serve():
    """A way to start further gateways, with options."""
    return serving


@pytest.fixture(scope="session")
def server():
    """The gateway that the tests share."""
    with serving() as url:
        yield url


@pytest.fixture(scope="session")
def http():
    """One connection for many requests."""
    with httpx.Client(trust_env=False) as made:
        yield made


@pytest.fixture
def gateway(server, request):
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:80]
    client = GatewayClient(server, name.strip("-"), TOKEN)
    client.reset()
    yield client
    client.close()


@pytest.fixture
def client(gateway):
    """The official client, with its own retries."""
    with openai.OpenAI(base_url=gateway.openai_base_url, api_key="sk-any", timeout=30) as made:
        yield made


@pytest.fixture
def rig(server, gateway, serve, tmp_path):
    with contextlib.ExitStack() as stack:
        yield Rig(server, gateway, tmp_path, serve, stack)


@pytest.fixture(scope="module")
def spending(tmp_path_factory):
    """A gateway in the mode `live`, and what its provider got."""
    made = Spending(tmp_path_factory.mktemp("spending"))
    yield made
    made.app.runner.close()
