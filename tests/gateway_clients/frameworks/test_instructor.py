"""instructor around the official client."""

from collections.abc import Iterable

import instructor.exceptions
import openai
from pydantic import BaseModel
from tests.gateway_clients.frameworks.conversations import (
    OPENAI,
    OPENAI_CUT,
    Conversations,
    Environment,
    Parcel,
)


class weather(BaseModel):  # noqa: N801 - instructor names the tool after the class
    """The weather of a city."""

    city: str


class difference(BaseModel):  # noqa: N801 - the same
    """The difference between two temperatures."""

    warm: int
    cold: int


class TestInstructor(Conversations):
    refused = (openai.BadRequestError, instructor.exceptions.InstructorRetryException)
    cut = OPENAI_CUT

    def ask(self, gateway, messages, model=None, mode=instructor.Mode.TOOLS, **fields):
        """The answer in the form that `model` says, and what the provider has sent."""
        responses = []
        with openai.OpenAI(base_url=gateway.openai_base_url, api_key="sk-any") as client:
            asking = instructor.from_openai(client, mode=mode)
            asking.on("completion:response", responses.append)
            answer = asking.chat.completions.create(
                model=OPENAI, messages=messages, response_model=model, max_retries=1, **fields
            )
            return (list(answer) if fields.get("stream") else answer), responses

    def answer(self, gateway, text):
        answer, _ = self.ask(gateway, [{"role": "user", "content": text}])
        return answer.choices[0].message.content

    def pieces(self, gateway, text):
        chunks, _ = self.ask(gateway, [{"role": "user", "content": text}], stream=True)
        return [chunk.choices[0].delta.content for chunk in chunks]

    def structured(self, gateway, text):
        return self.ask(gateway, [{"role": "user", "content": text}], Parcel)[0]

    def with_tools(self, gateway, text, tools):
        messages = [{"role": "user", "content": text}]
        for _ in range(2):
            calls, (response,) = self.ask(
                gateway, messages, Iterable[weather | difference], instructor.Mode.PARALLEL_TOOLS
            )
            message = response.choices[0].message
            made = [call.model_dump() for call in message.tool_calls]
            messages.append({"role": "assistant", "content": None, "tool_calls": made})
            messages.extend(
                {"role": "tool", "tool_call_id": asked.id,
                 "content": tools.call(type(call).__name__, call.model_dump())}
                for call, asked in zip(calls, message.tool_calls, strict=True)
            )  # fmt: skip
        return self.ask(gateway, messages)[0].choices[0].message.content


class TestEnvironment(Environment):
    variables = "OPENAI_BASE_URL OPENAI_API_KEY"

    def answer(self, text):
        asking = instructor.from_openai(openai.OpenAI()).chat.completions
        messages = [{"role": "user", "content": text}]
        answer = asking.create(model=OPENAI, messages=messages, response_model=None)
        return answer.choices[0].message.content
