import socket
import threading

import httpx
import openai
import pytest
import uvicorn

from stackproof.gateway.app import create_app
from stackproof.gateway.client import GatewayClient
from stackproof.waiting import wait_until


@pytest.fixture(scope="session")
def server():
    """A gateway on a real socket of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(), log_level="warning", lifespan="off", access_log=False)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    wait_until(lambda: running.started, timeout=20, what="the gateway serves")
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="session")
def http():
    """One connection for many requests."""
    with httpx.Client(trust_env=False) as made:
        yield made


@pytest.fixture
def gateway(server, request):
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:80]
    client = GatewayClient(server, name)
    client.reset()
    yield client
    client.close()


@pytest.fixture
def client(gateway):
    """The official client with its default settings, retries included."""
    with openai.OpenAI(base_url=gateway.openai_base_url, api_key="sk-any") as made:
        yield made
