"""A provider that is played by a gateway, and gateways that ask it."""

from decimal import Decimal

import openai

from stackproof.gateway.client import GatewayClient

TOKEN = "token-of-the-tests"
KEY = "sk-real-0123456789abcdefghij"
MODEL = "gpt-4o-mini"


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
            "anthropic_url": url, "anthropic_key": KEY, "budget_usd": Decimal("0.5"),
            "ledger": self.folder / "ledger.json", **further,
        }  # fmt: skip

    def gateway(self, llm, namespace="test", **further):
        url = self._stack.enter_context(self._serve(**self.options(llm, **further)))
        client = GatewayClient(url, namespace, TOKEN)
        self._stack.callback(client.close)
        return client

    def client(self, gateway, **fields):
        made = openai.OpenAI(
            base_url=gateway.openai_base_url, api_key="sk-any", timeout=30, **fields
        )
        return self._stack.enter_context(made)


def ask(client, text="hello", **fields):
    fields = {"model": MODEL, "max_tokens": 20, **fields}
    return client.chat.completions.create(messages=[{"role": "user", "content": text}], **fields)
