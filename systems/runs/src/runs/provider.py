"""Questions to a model provider, through LiteLLM."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from http import HTTPStatus

import litellm
import openai

from runs.lifecycle import Failure
from runs.settings import settings

litellm.suppress_debug_info = True
litellm.telemetry = False
for noisy in ("LiteLLM", "httpx"):
    logging.getLogger(noisy).setLevel(logging.WARNING)

SERVER_ERRORS = HTTPStatus.INTERNAL_SERVER_ERROR
TRANSIENT = frozenset({408, 409, 425, 429})
LONGEST_MESSAGE = 2000


class ProviderFailed(Exception):
    """A provider gave no answer."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(f"{failure.type}: {failure.message}")


@dataclass(frozen=True)
class Account:
    """Where to ask, and with which key."""

    base_url: str | None
    api_key: str | None = field(repr=False)

    def ask(self, model: str, prompt: str) -> str:
        """The model's answer to a prompt.

        Raises:
            ProviderFailed: If there is none.
        """
        key = self.api_key or os.environ.get("OPENAI_API_KEY")
        try:
            response = litellm.completion(
                model=f"openai/{model}",
                messages=[{"role": "user", "content": prompt}],
                api_base=self.base_url or os.environ.get("OPENAI_BASE_URL"),
                api_key=key,
                timeout=settings().provider_timeout,
            )
        except openai.OpenAIError as error:  # the root of LiteLLM's errors, too
            raise ProviderFailed(_failure(error, key)) from error
        return str(response.choices[0].message.content or "")


def _failure(error: openai.OpenAIError, key: str | None) -> Failure:
    status = getattr(error, "status_code", None)
    message = str(error)
    if key:
        message = message.replace(key, "***")
    return Failure(
        type=type(error).__name__,
        status=status,
        message=message[:LONGEST_MESSAGE],
        is_transient=status is None
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status in TRANSIENT,
    )
