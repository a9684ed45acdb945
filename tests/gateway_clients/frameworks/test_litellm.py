"""LiteLLM's conversations, in OpenAI's dialect and in Anthropic's."""

import json

import litellm
from tests.gateway_clients.frameworks.conversations import (
    CHAT_TOOLS,
    CLAUDE,
    OPENAI,
    Conversations,
    Embeddings,
    Environment,
    Parcel,
    anthropic_url,
)


class TestOpenai(Conversations, Embeddings):
    refused = litellm.BadRequestError
    cut = getattr(litellm.exceptions, "MidStreamFallbackError", litellm.APIConnectionError)
    model = f"openai/{OPENAI}"

    def url(self, gateway):
        return gateway.openai_base_url

    def ask(self, gateway, messages, **fields):
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        return litellm.completion(model=self.model, messages=messages, api_key="sk-any",
                                  api_base=self.url(gateway), max_tokens=100, **fields)  # fmt: skip

    def answer(self, gateway, text, **fields):
        return self.ask(gateway, text, **fields).choices[0].message.content

    def pieces(self, gateway, text):
        chunks = self.ask(gateway, text, stream=True)
        return [chunk.choices[0].delta.content for chunk in chunks]

    def structured(self, gateway, text):
        answer = self.ask(gateway, text, response_format=Parcel)
        return Parcel.model_validate_json(answer.choices[0].message.content)

    def with_tools(self, gateway, text, tools):
        messages = [{"role": "user", "content": text}]
        while True:
            message = self.ask(gateway, messages, tools=CHAT_TOOLS).choices[0].message
            if not message.tool_calls:
                return message.content
            messages.append(message.model_dump())
            messages.extend(
                {"role": "tool", "tool_call_id": call.id, "content": tools.call(
                    call.function.name, json.loads(call.function.arguments))}
                for call in message.tool_calls
            )  # fmt: skip

    def embed(self, gateway, texts):
        made = litellm.embedding(model="openai/e", input=texts, api_key="sk-any",
                                 api_base=gateway.openai_base_url)  # fmt: skip
        return [vector["embedding"] for vector in made.data]


class TestAnthropic(TestOpenai):
    model = f"anthropic/{CLAUDE}"
    retrying = {"num_retries": 1}  # noqa: RUF012 - it tries again only if it is told to

    def url(self, gateway):
        return anthropic_url(gateway)


class TestOpenaiEnvironment(Environment):
    variables = "OPENAI_API_BASE OPENAI_API_KEY"

    def answer(self, text):
        messages = [{"role": "user", "content": text}]
        return litellm.completion(f"openai/{OPENAI}", messages).choices[0].message.content


class TestAnthropicEnvironment(Environment):
    variables = "ANTHROPIC_API_BASE ANTHROPIC_API_KEY"

    def answer(self, text):
        messages = [{"role": "user", "content": text}]
        return litellm.completion(f"anthropic/{CLAUDE}", messages).choices[0].message.content
