"""A provider that is played by a gateway, and gateways that ask it."""

import json
from decimal import Decimal
from functools import cache

import openai

from stackproof_gateway.client import GatewayClient

TOKEN = "token-of-the-tests"
KEY = "sk-real-0123456789abcdefghij"
MODEL = "gpt-4o-mini"


@cache
def connections():
    """The connections of all official clients: each own pool reads the trusted certificates."""
    import httpx2  # only openai 3 has it

    return openai.DefaultHttpxClient(limits=httpx2.Limits(keepalive_expiry=2))


def openai_client(gateway, **fields):
    """The official client, with its own retries."""
    return openai.OpenAI(
        base_url=gateway.openai_base_url, api_key="sk-any", timeout=30,
        http_client=connections(), **fields,
    )  # fmt: skip


class Rig:
    """A provider that is played by a gateway, and gateways that ask it."""

    def __init__(self, server, provider, folder, serve, stack):
        self.server, self.provider = server, provider
        self.folder, self._serve, self._stack = folder, serve, stack
        self.cassettes = folder / "cassettes"

    def options(self, llm, **further):
        url = f"{self.server}/t/{self.provider.namespace}/v1"
        return {
            "llm": llm, "cassettes": self.cassettes, "openai_url": url, "openai_key": KEY,
            "anthropic_url": url, "anthropic_key": KEY, "gemini_url": url.removesuffix("/v1"),
            "gemini_key": KEY, "budget_usd": Decimal("0.5"),
            "ledger": self.folder / "ledger.json", **further,
        }  # fmt: skip

    def gateway(self, llm, namespace="test", **further):
        url = self._stack.enter_context(self._serve(**self.options(llm, **further)))
        client = GatewayClient(url, namespace, TOKEN)
        self._stack.callback(client.close)
        return client

    def client(self, gateway, **fields):
        return openai_client(gateway, **fields)


def ask(client, text="hello", **fields):
    fields = {"model": MODEL, "max_tokens": 20, **fields}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **fields)


def events_of(answer):
    """The events of a stream, as values."""
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
