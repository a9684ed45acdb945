"""pydantic-ai over each API that it speaks."""

import asyncio

import anthropic
import openai
import pydantic_ai
from pydantic_ai.models import openai as models
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from tests.gateway_clients.frameworks.conversations import (
    CLAUDE,
    OPENAI,
    RAW_CUT,
    Conversations,
    Environment,
    Parcel,
    anthropic_url,
)


class TestOverResponses(Conversations):
    refused = pydantic_ai.exceptions.ModelHTTPError
    cut = getattr(pydantic_ai.exceptions, "ModelConnectionError", RAW_CUT)
    made = models.OpenAIResponsesModel

    def client(self, gateway):
        return openai.AsyncOpenAI(base_url=gateway.openai_base_url, api_key="sk-any")

    def model(self, client):
        return self.made(OPENAI, provider=OpenAIProvider(openai_client=client))

    def run(self, gateway, use, **fields):
        async def run():
            async with self.client(gateway) as client:
                return await use(pydantic_ai.Agent(self.model(client), **fields))

        return asyncio.run(run())

    def answer(self, gateway, text, **fields):
        async def last(agent):
            return (await agent.run(text)).output

        return self.run(gateway, last, **fields)

    def pieces(self, gateway, text):
        async def pieces(agent):
            async with agent.run_stream(text) as streamed:
                return [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]

        return self.run(gateway, pieces)

    def structured(self, gateway, text):
        return self.answer(gateway, text, output_type=Parcel)

    def with_tools(self, gateway, text, tools):
        return self.answer(gateway, text, tools=list(tools.functions()))


class TestOverChat(TestOverResponses):
    made = getattr(models, "OpenAIChatModel", None) or models.OpenAIModel


class TestOverMessages(TestOverResponses):
    def client(self, gateway):
        return anthropic.AsyncAnthropic(base_url=anthropic_url(gateway), api_key="sk-any")

    def model(self, client):
        return AnthropicModel(CLAUDE, provider=AnthropicProvider(anthropic_client=client))


class TestOpenaiEnvironment(Environment):
    variables = "OPENAI_BASE_URL OPENAI_API_KEY"

    def answer(self, text):
        return pydantic_ai.Agent(f"openai:{OPENAI}").run_sync(text).output


class TestAnthropicEnvironment(Environment):
    variables = "ANTHROPIC_BASE_URL ANTHROPIC_API_KEY"

    def answer(self, text):
        return pydantic_ai.Agent(f"anthropic:{CLAUDE}").run_sync(text).output
