"""langchain-openai over Chat and Responses, and langchain-anthropic."""

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from tests.gateway_clients.frameworks.conversations import (
    CLAUDE,
    OPENAI,
    OPENAI_CUT,
    RAW_CUT,
    Conversations,
    Embeddings,
    Environment,
    Parcel,
    anthropic_url,
)


class TestOpenaiOverChat(Conversations, Embeddings):
    refused = openai.BadRequestError
    cut = OPENAI_CUT

    def model(self, gateway):
        return ChatOpenAI(model=OPENAI, base_url=gateway.openai_base_url, api_key="sk-any")

    def answer(self, gateway, text):
        return self.text(self.model(gateway).invoke(text))

    def pieces(self, gateway, text):
        return [self.text(piece) for piece in self.model(gateway).stream(text)]

    def text(self, message):
        if isinstance(message.content, str):
            return message.content
        return "".join(part.get("text", "") for part in message.content)

    def structured(self, gateway, text):
        return self.model(gateway).with_structured_output(Parcel).invoke(text)

    def with_tools(self, gateway, text, tools):
        model = self.model(gateway).bind_tools(list(tools.functions()))
        messages = [HumanMessage(text)]
        while (reply := model.invoke(messages)).tool_calls:
            messages.append(reply)
            messages.extend(
                ToolMessage(tools.call(call["name"], call["args"]), tool_call_id=call["id"])
                for call in reply.tool_calls
            )
        return self.text(reply)

    def embed(self, gateway, texts):
        made = OpenAIEmbeddings(base_url=gateway.openai_base_url, api_key="sk-any",
                                check_embedding_ctx_length=False)  # fmt: skip
        return made.embed_documents(texts)


class TestOpenaiOverResponses(TestOpenaiOverChat):
    def model(self, gateway):
        return ChatOpenAI(model=OPENAI, base_url=gateway.openai_base_url, api_key="sk-any",
                          use_responses_api=True)  # fmt: skip


class TestAnthropic(TestOpenaiOverChat):
    refused = anthropic.BadRequestError
    cut = RAW_CUT

    def model(self, gateway):
        return ChatAnthropic(model=CLAUDE, base_url=anthropic_url(gateway), api_key="sk-any",
                             max_tokens=100)  # fmt: skip


class TestOpenaiEnvironment(Environment):
    variables = "OPENAI_API_BASE OPENAI_API_KEY"

    def answer(self, text):
        return ChatOpenAI(model=OPENAI).invoke(text).content


class TestAnthropicEnvironment(Environment):
    variables = "ANTHROPIC_API_URL ANTHROPIC_API_KEY"

    def answer(self, text):
        return ChatAnthropic(model=CLAUDE, max_tokens=100).invoke(text).content
