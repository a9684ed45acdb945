"""Questions to a model provider that speaks OpenAI's protocol."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, cast

import openai

TRANSIENT = frozenset({408, 409, 425, 429})
LONGEST_MESSAGE = 2000


class CallFailed(Exception):
    """A model call gave no usable answer.

    Attributes:
        message: What went wrong, without the key.
        is_transient: Whether another try may succeed.
    """

    def __init__(self, message: str, *, is_transient: bool) -> None:
        key = os.environ.get("OPENAI_API_KEY")
        self.message = (message.replace(key, "***") if key else message)[:LONGEST_MESSAGE]
        self.is_transient = is_transient
        super().__init__(self.message)


@dataclass(frozen=True)
class Answer:
    """What a model has said.

    Attributes:
        text: The text.
        raw: The whole answer as the provider sent it.
    """

    text: str
    raw: dict[str, Any]


@cache
def _client() -> openai.OpenAI:
    # Tries are counted by the pipeline, so the client must not add its own.
    return openai.OpenAI(max_retries=0)


def ask(model: str, messages: list[dict[str, str]], *, timeout: float) -> Answer:
    """One try of a model call.

    Args:
        model: The provider's name of the model.
        messages: The conversation.
        timeout: Seconds that the provider gets.

    Raises:
        CallFailed: If there is no whole answer.
    """
    try:
        response = _client().chat.completions.create(
            model=model, messages=cast("Any", messages), timeout=timeout
        )
    except openai.OpenAIError as error:
        raise CallFailed(
            f"{type(error).__name__}: {error}", is_transient=_may_pass(error)
        ) from error
    except ValueError as error:  # the client lets broken JSON through
        raise CallFailed(f"the answer is broken: {error}", is_transient=True) from error
    choice = next(iter(response.choices), None)
    if choice is None or not choice.message.content or choice.finish_reason != "stop":
        reason = "nothing" if choice is None else choice.finish_reason
        raise CallFailed(f"the answer is not whole: it ends with {reason}", is_transient=True)
    return Answer(choice.message.content, response.model_dump(mode="json"))


def _may_pass(error: openai.OpenAIError) -> bool:
    status = getattr(error, "status_code", None)
    return status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in TRANSIENT
