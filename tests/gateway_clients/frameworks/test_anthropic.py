"""Anthropic's client and its tool runner."""

import anthropic
from tests.gateway_clients.frameworks.conversations import (
    CLAUDE,
    RAW_CUT,
    Conversations,
    Environment,
    Parcel,
    anthropic_url,
)


def asked(text):
    return {"model": CLAUDE, "max_tokens": 100, "messages": [{"role": "user", "content": text}]}


class TestToolRunner(Conversations):
    refused = anthropic.BadRequestError
    cut = RAW_CUT

    def client(self, gateway):
        return anthropic.Anthropic(base_url=anthropic_url(gateway), api_key="sk-any")

    def answer(self, gateway, text):
        with self.client(gateway) as client:
            return client.messages.create(**asked(text)).content[0].text

    def pieces(self, gateway, text):
        with self.client(gateway) as client, client.messages.stream(**asked(text)) as stream:
            return list(stream.text_stream)

    def structured(self, gateway, text):
        with self.client(gateway) as client:
            if hasattr(client.messages, "parse"):
                return client.messages.parse(**asked(text), output_format=Parcel).parsed_output
            tool = {"name": "parcel", "input_schema": Parcel.model_json_schema()}
            choice = {"type": "tool", "name": "parcel"}
            message = client.messages.create(**asked(text), tools=[tool], tool_choice=choice)
            return Parcel(**message.content[0].input)

    def with_tools(self, gateway, text, tools):
        offered = [anthropic.beta_tool(tool) for tool in tools.functions()]
        with self.client(gateway) as client:
            runner = client.beta.messages.tool_runner(**asked(text), tools=offered)
            return runner.until_done().content[0].text


class TestEnvironment(Environment):
    variables = "ANTHROPIC_BASE_URL ANTHROPIC_API_KEY"

    def answer(self, text):
        with anthropic.Anthropic() as client:
            return client.messages.create(**asked(text)).content[0].text
