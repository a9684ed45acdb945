import contextlib

import httpx
import pytest
from packages.gateway.tests.bare_app import Spending
from packages.gateway.tests.rig import Rig, openai_client
from packages.gateway.tests.serving import gateway, server, serving
from tests.other_users import other_user

__all__ = ["gateway", "other_user", "server"]


@pytest.fixture(scope="session")
def serve():
    """A way to start further gateways, with options."""
    return serving


@pytest.fixture(scope="session")
def http():
    """One connection for many requests."""
    with httpx.Client(trust_env=False) as made:
        yield made


@pytest.fixture
def client(gateway):
    """The official client, with its own retries."""
    return openai_client(gateway)


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


@pytest.fixture
def ask_message(gateway, http):
    """A request to Anthropic's endpoint for messages, and its answer as it came."""

    def send(*messages, **fields):
        said = messages or [{"role": "user", "content": "hello"}]
        body = {"model": "m", "max_tokens": 20, "messages": said, **fields}
        return http.post(f"{gateway.openai_base_url}/messages", json=body,
                         headers={"x-api-key": "sk-any"})  # fmt: skip

    return send
