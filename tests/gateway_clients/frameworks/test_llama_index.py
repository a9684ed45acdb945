"""llama-index: `OpenAILike`, its agent and its embeddings."""

import asyncio

import openai
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from tests.gateway_clients.frameworks.conversations import (
    OPENAI,
    OPENAI_CUT,
    Conversations,
    Embeddings,
    Environment,
    Parcel,
)


class TestLlamaIndex(Conversations, Embeddings):
    refused = openai.BadRequestError
    cut = OPENAI_CUT

    def model(self, gateway):
        return OpenAILike(model=OPENAI, api_base=gateway.openai_base_url, api_key="sk-any",
                          is_chat_model=True, is_function_calling_model=True)  # fmt: skip

    def answer(self, gateway, text):
        return self.model(gateway).complete(text).text

    def pieces(self, gateway, text):
        return [piece.delta for piece in self.model(gateway).stream_complete(text)]

    def structured(self, gateway, text):
        return self.model(gateway).as_structured_llm(Parcel).complete(text).raw

    def with_tools(self, gateway, text, tools):
        agent = FunctionAgent(llm=self.model(gateway), tools=list(tools.functions()))

        async def run():
            return str(await agent.run(text))

        return asyncio.run(run())

    def embed(self, gateway, texts):
        made = OpenAILikeEmbedding(model_name="e", api_base=gateway.openai_base_url,
                                   api_key="sk-any")  # fmt: skip
        return made.get_text_embedding_batch(texts)


class TestEnvironment(Environment):
    variables = "OPENAI_API_BASE OPENAI_API_KEY"

    def answer(self, text):
        return OpenAI(model=OPENAI).complete(text).text
