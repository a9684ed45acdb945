"""What each framework does through the gateway; a test module says how it is asked."""

import importlib.util

import openai
import pytest
from pydantic import BaseModel

OPENAI, CLAUDE = "gpt-4o-mini", "claude-haiku-4-5"
LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
ASKED = "How much warmer is Oslo than Bergen?"
DEGREES = {"Oslo": 21, "Bergen": 17}

RAW_CUT = tuple(
    importlib.import_module(name).RemoteProtocolError
    for name in ("httpx", "httpx2")
    if importlib.util.find_spec(name)
)
"""What the transport says of a stream that is cut, where a client leaves it at that."""
OPENAI_CUT = openai.APIConnectionError if openai.VERSION >= "3" else RAW_CUT


class Parcel(BaseModel):
    """A parcel on its way."""

    parcel_id: str
    weight: int
    places: list[str]


class Tools:
    """Two tools, and how they were called."""

    def __init__(self):
        self.called = []

    def functions(self):
        """The tools as functions, which most frameworks take as they are."""

        def weather(city: str) -> str:
            """The weather of a city.

            Args:
                city: Name of the city.
            """
            self.called.append(("weather", city))
            return f"{DEGREES[city]} degrees in {city}"

        def difference(warm: int, cold: int) -> str:
            """The difference between two temperatures.

            Args:
                warm: The higher one.
                cold: The lower one.
            """
            self.called.append(("difference", warm, cold))
            return f"a difference of {warm - cold}"

        return weather, difference

    def call(self, name, arguments):
        """What the tool of this name says."""
        return {made.__name__: made for made in self.functions()}[name](**arguments)


def parameters(**properties):
    """The JSON schema of a tool's arguments."""
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


SCHEMAS = {
    "weather": parameters(city="string"),
    "difference": parameters(warm="integer", cold="integer"),
}
"""The arguments of the tools, for frameworks that take no functions."""

CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}
    for name, schema in SCHEMAS.items()
]


def anthropic_url(gateway):
    """Base URL of the namespace for clients of Anthropic, which add `/v1` themselves."""
    return gateway.openai_base_url.removesuffix("/v1")


def likeness(one, other):
    """The cosine of two vectors of length 1."""
    return sum(here * there for here, there in zip(one, other, strict=True))


class Conversations:
    """A framework's conversations with a model.

    A subclass says how the framework is asked, and how it names what goes wrong:

    - `answer(gateway, text, **fields)`: the model's text
    - `pieces(gateway, text)`: the pieces of the streamed text
    - `structured(gateway, text)`: a `Parcel`
    - `with_tools(gateway, text, tools)`: the model's last text, after its tools were called
    - `refused`: the error of a request that the provider refuses
    - `cut`: the error of a stream that is cut
    """

    retrying = {}  # noqa: RUF012 - fields of `answer` with which a 429 is tried again
    results = "tool_result"

    def says(self, text):
        """What the model must say for the framework to read `text`."""
        return text

    def test_it_answers(self, gateway):
        assert self.answer(gateway, "hello") == "echo: hello"
        assert [call.status for call in gateway.requests()] == [200]

    def test_it_streams_in_pieces(self, gateway):
        gateway.when().reply(self.says(LONG))
        pieces = [piece for piece in self.pieces(gateway, "hello") if piece]
        assert "".join(pieces).strip() == LONG
        assert len(pieces) > 7

    def test_an_answer_by_schema_has_its_type_and_reuses_the_id(self, gateway):
        parcel = self.structured(gateway, "Where is it? parcel_id: p-17")
        assert isinstance(parcel, Parcel)
        assert parcel.parcel_id == "p-17"
        assert parcel.places

    def test_tools_are_called_in_two_steps_the_first_in_parallel(self, gateway):
        tools = Tools()
        gateway.when(**{self.results: "a difference of 4"}).reply(self.says("4 degrees."))
        gateway.when(**{self.results: " degrees in "}).reply(
            tool_calls=[{"name": "difference", "arguments": {"warm": 21, "cold": 17}}]
        )
        gateway.when(text=ASKED).reply(
            tool_calls=[{"name": "weather", "arguments": {"city": city}} for city in DEGREES]
        )
        assert self.with_tools(gateway, ASKED, tools) == "4 degrees."
        assert sorted(tools.called[:2]) == [("weather", "Bergen"), ("weather", "Oslo")]
        assert tools.called[2:] == [("difference", 21, 17)]
        gateway.assert_all_scripts_used()

    def test_a_429_with_retry_after_is_tried_again(self, gateway):
        gateway.when(call=1).fail(429, retry_after=0.01)
        assert self.answer(gateway, "hello", **self.retrying) == "echo: hello"
        assert [call.status for call in gateway.requests()] == [429, 200]

    def test_a_request_that_is_refused_is_its_error(self, gateway):
        gateway.when().fail(400, message="no such region")
        with pytest.raises(self.refused, match="no such region"):
            self.answer(gateway, "hello")
        assert len(gateway.requests()) == 1

    def test_a_cut_stream_is_its_error(self, gateway):
        gateway.when().reply(LONG, cut_after=3)
        with pytest.raises(self.cut):
            self.pieces(gateway, "hello")


class Embeddings:
    """A framework's embeddings: `embed(gateway, texts)` gives vectors."""

    embeds = "/v1/embeddings"

    def test_embeddings_of_related_texts_are_closer(self, gateway):
        cats, kittens, taxes = self.embed(
            gateway, ["a cat sleeps on the sofa", "the cat is sleeping", "how to pay taxes"]
        )
        assert likeness(cats, kittens) > likeness(cats, taxes)
        assert all(self.embeds in call.path for call in gateway.requests())


class Environment:
    """A framework that is told no address: `answer(text)`, with `variables` set."""

    def test_its_variables_alone_lead_to_the_gateway(self, gateway, monkeypatch):
        urls = {"ANTHROPIC": anthropic_url(gateway), "GOOGLE": gateway.gemini_base_url}
        for name in self.variables.split():
            url = urls.get(name.split("_")[0], gateway.openai_base_url)
            monkeypatch.setenv(name, "sk-any" if name.endswith("_KEY") else url)
        assert self.answer("hello") == "echo: hello"
        assert [call.status for call in gateway.requests()] == [200]
