"""Gemini, by its own client."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import httpx
import httpx2
from google import genai
from google.genai import errors, types

from memory.models import Model
from memory.prompts import SYSTEM, Turn
from memory.providers import Answer, Options, sdk_errors
from memory.settings import Settings

NAME = "gemini"
failed = partial(sdk_errors.failed, NAME)


def make(settings: Settings) -> Gemini:
    """The provider, with the key and the address of this process's environment."""
    key = os.environ.get("GEMINI_API_KEY")
    if not key:
        raise failed("GEMINI_API_KEY is not set", "NOT_CONFIGURED")
    options = types.HttpOptions(
        timeout=int(settings.provider_timeout * 1000),
        retry_options=types.HttpRetryOptions(attempts=settings.provider_retries + 1),
    )
    return Gemini(genai.Client(api_key=key, http_options=options))


class Gemini:
    """Gemini's models.

    Args:
        client: The provider's own client.
    """

    def __init__(self, client: genai.Client) -> None:
        self._client = client

    def ask(self, model: Model, turns: Sequence[Turn], options: Options) -> Answer:
        """Ask a model."""
        wanted = types.GenerateContentConfig(
            system_instruction=SYSTEM, temperature=options.temperature
        )
        if options.schema is not None:
            wanted.response_mime_type = "application/json"
            wanted.response_json_schema = options.schema
        with told_errors():
            answer = self._client.models.generate_content(
                model=model.name, contents=_contents(turns), config=wanted
            )
        reason = answer.candidates[0].finish_reason if answer.candidates else None
        if not answer.text or reason != types.FinishReason.STOP:
            raise failed(f"the answer has ended early: {reason.value if reason else 'it is empty'}")
        usage = answer.usage_metadata or types.GenerateContentResponseUsageMetadata()
        return Answer(answer.text, usage.prompt_token_count or 0, usage.candidates_token_count or 0)

    def count(self, model: Model, turns: Sequence[Turn]) -> int:
        """Tokens of a conversation, as the provider counts them."""
        with told_errors():
            counted = self._client.models.count_tokens(model=model.name, contents=_contents(turns))
        return counted.total_tokens or 0


@contextmanager
def told_errors() -> Iterator[None]:
    """Tell of the client's exceptions in one form."""
    try:
        yield
    except errors.APIError as error:
        headers = getattr(error.response, "headers", None) or {}
        raise failed(
            f"status {error.code}: {error.message}",
            f"STATUS_{error.code}",
            retry_after=sdk_errors.seconds(headers.get("retry-after")),
        ) from error
    except (httpx.TimeoutException, httpx2.TimeoutException) as error:
        raise failed("no answer in time", "TIMEOUT") from error
    except (httpx.HTTPError, httpx2.HTTPError) as error:
        raise failed(f"the connection has failed: {error or type(error).__name__}") from error
    except ValueError as error:
        raise failed(f"the answer is broken: {error}") from error


def _contents(turns: Sequence[Turn]) -> Any:
    return [
        types.Content(
            role="model" if turn.role == "assistant" else "user", parts=[types.Part(text=turn.text)]
        )
        for turn in turns
    ]
