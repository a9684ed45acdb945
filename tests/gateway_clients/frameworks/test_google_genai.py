"""google-genai, Google's own client, which calls functions by itself."""

import pytest
import requests
from google import genai
from google.genai import errors, types
from tests.gateway_clients.frameworks.conversations import (
    RAW_CUT,
    Conversations,
    Embeddings,
    Environment,
    Parcel,
)

MODEL = "gemini-2.5-flash-lite"
RETRIES = "retry_options" in types.HttpOptions.model_fields


class TestGoogleGenai(Conversations, Embeddings):
    refused = errors.ClientError
    cut = RAW_CUT if RETRIES else requests.exceptions.ChunkedEncodingError
    embeds = "batchEmbedContents"
    retrying = {"retry_options": {"attempts": 2, "initial_delay": 0.01}}  # noqa: RUF012 - none else

    def client(self, gateway, **options):
        return genai.Client(
            api_key="sk-any", http_options={"base_url": gateway.gemini_base_url, **options}
        )

    def answer(self, gateway, text, config=None, **options):
        client = self.client(gateway, **options)
        return client.models.generate_content(model=MODEL, contents=text, config=config).text

    def pieces(self, gateway, text):
        client = self.client(gateway)
        stream = client.models.generate_content_stream(model=MODEL, contents=text)
        return [piece.text for piece in stream]

    def structured(self, gateway, text):
        client = self.client(gateway)
        config = {"response_mime_type": "application/json", "response_schema": Parcel}
        return client.models.generate_content(model=MODEL, contents=text, config=config).parsed

    def with_tools(self, gateway, text, tools):
        return self.answer(gateway, text, types.GenerateContentConfig(tools=[*tools.functions()]))

    def embed(self, gateway, texts):
        client = self.client(gateway)
        made = client.models.embed_content(model="gemini-embedding-001", contents=texts)
        return [vector.values for vector in made.embeddings]

    if not RETRIES:

        def test_a_429_with_retry_after_is_tried_again(self, gateway):
            """Version 1.0 leaves that to the application."""
            gateway.when(call=1).fail(429, retry_after=0.01)
            with pytest.raises(errors.ClientError, match="429"):
                self.answer(gateway, "hello")
            assert self.answer(gateway, "hello") == "echo: hello"


@pytest.mark.skipif(not RETRIES, reason="google-genai 1.0 takes an address from its code alone")
class TestEnvironment(Environment):
    variables = "GOOGLE_GEMINI_BASE_URL GOOGLE_API_KEY"

    def answer(self, text):
        client = genai.Client()
        return client.models.generate_content(model=MODEL, contents=text).text
