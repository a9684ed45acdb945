"""dspy: its language model, its adapters and its embedder."""

import asyncio

import dspy
import litellm
from tests.gateway_clients.frameworks.conversations import (
    OPENAI,
    Conversations,
    Embeddings,
    Environment,
    Parcel,
)


class Find(dspy.Signature):
    """Find the parcel."""

    text: str = dspy.InputField()
    parcel: Parcel = dspy.OutputField()


class Work(dspy.Signature):
    """Answer with the tools."""

    text: str = dspy.InputField()
    results: list[str] = dspy.InputField()
    tools: list[dspy.Tool] = dspy.InputField()
    answer: str = dspy.OutputField()
    calls: dspy.ToolCalls = dspy.OutputField()


class TestDspy(Conversations, Embeddings):
    refused = getattr(dspy.utils.exceptions, "LMInvalidRequestError", litellm.BadRequestError)
    cut = getattr(dspy.utils.exceptions, "LMTransportError", ExceptionGroup)
    retrying = {"num_retries": 1}  # noqa: RUF012 - it would try everything again by itself
    results = "message"

    def says(self, text):
        return f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"

    def where(self, gateway):
        return {"api_base": gateway.openai_base_url, "api_key": "sk-any"}

    def model(self, gateway, num_retries=0):
        return dspy.LM(
            f"openai/{OPENAI}", cache=False, num_retries=num_retries, **self.where(gateway)
        )

    def answer(self, gateway, text, **fields):
        return self.model(gateway, **fields)(text)[0]

    def pieces(self, gateway, text):
        async def pieces():
            listener = dspy.streaming.StreamListener("answer")
            program = dspy.streamify(dspy.Predict("text -> answer"), stream_listeners=[listener])
            with dspy.context(lm=self.model(gateway)):
                return [piece async for piece in program(text=text)]

        return [piece.chunk for piece in asyncio.run(pieces())[:-1]]

    def structured(self, gateway, text):
        with dspy.context(lm=self.model(gateway), adapter=dspy.JSONAdapter()):
            return dspy.Predict(Find)(text=text).parcel

    def with_tools(self, gateway, text, tools):
        offered = [dspy.Tool(tool) for tool in tools.functions()]
        results = []
        native = dspy.ChatAdapter(use_native_function_calling=True)
        with dspy.context(lm=self.model(gateway), adapter=native):
            work = dspy.Predict(Work)
            while (said := work(text=text, results=results, tools=offered)).calls:
                results += [tools.call(call.name, call.args) for call in said.calls.tool_calls]
        return said.answer

    def embed(self, gateway, texts):
        made = dspy.Embedder("openai/text-embedding-3-small", caching=False, **self.where(gateway))
        return [list(vector) for vector in made(texts)]


class TestEnvironment(Environment):
    variables = "OPENAI_API_BASE OPENAI_API_KEY"

    def answer(self, text):
        return dspy.LM(f"openai/{OPENAI}", cache=False)(text)[0]
