"""openai-agents, over Responses, which it uses if nothing is said, and over Chat."""

import asyncio

import agents
import openai
from tests.gateway_clients.frameworks.conversations import (
    OPENAI,
    OPENAI_CUT,
    Conversations,
    Environment,
    Parcel,
)

agents.set_tracing_disabled(disabled=True)


class TestOverResponses(Conversations):
    model = agents.OpenAIResponsesModel
    refused = openai.BadRequestError
    cut = OPENAI_CUT

    def run(self, gateway, use, **fields):
        async def run():
            async with openai.AsyncOpenAI(
                base_url=gateway.openai_base_url, api_key="sk-any"
            ) as client:
                return await use(
                    agents.Agent("planner", model=self.model(OPENAI, client), **fields)
                )

        return asyncio.run(run())

    def answer(self, gateway, text, **fields):
        async def last(agent):
            return (await agents.Runner.run(agent, text)).final_output

        return self.run(gateway, last, **fields)

    def pieces(self, gateway, text):
        async def pieces(agent):
            return [
                event.data.delta
                async for event in agents.Runner.run_streamed(agent, text).stream_events()
                if event.type == "raw_response_event"
                and event.data.type == "response.output_text.delta"
            ]

        return self.run(gateway, pieces)

    def structured(self, gateway, text):
        return self.answer(gateway, text, output_type=Parcel)

    def with_tools(self, gateway, text, tools):
        offered = [agents.function_tool(tool) for tool in tools.functions()]
        return self.answer(gateway, text, tools=offered)


class TestOverChat(TestOverResponses):
    model = agents.OpenAIChatCompletionsModel


class TestEnvironment(Environment):
    variables = "OPENAI_BASE_URL OPENAI_API_KEY"

    def answer(self, text):
        agent = agents.Agent("planner", model=OPENAI)
        return asyncio.run(agents.Runner.run(agent, text)).final_output
