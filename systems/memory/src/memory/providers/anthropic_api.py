"""Anthropic, by its own client."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import anthropic

from memory.models import Model
from memory.prompts import SYSTEM, Turn
from memory.providers import Answer, Options, sdk_errors
from memory.settings import Settings

NAME = "anthropic"
failed = partial(sdk_errors.failed, NAME)
told_errors = partial(sdk_errors.told_errors, NAME, anthropic, anthropic.AnthropicError)
LONGEST_ANSWER = 8192


def make(settings: Settings) -> Anthropic:
    """The provider, with the key and the address of this process's environment."""
    with told_errors():
        client = anthropic.Anthropic(
            timeout=settings.provider_timeout, max_retries=settings.provider_retries
        )
    return Anthropic(client)


class Anthropic:
    """Anthropic's models.

    Args:
        client: The provider's own client.
    """

    def __init__(self, client: anthropic.Anthropic) -> None:
        self._client = client

    def ask(self, model: Model, turns: Sequence[Turn], options: Options) -> Answer:
        """Ask a model."""
        more: dict[str, Any] = {}
        if options.temperature is not None:
            more["temperature"] = options.temperature
        with told_errors():
            answer = self._client.messages.create(
                model=model.name, max_tokens=LONGEST_ANSWER, system=_system(options),
                messages=_messages(turns), **more,
            )  # fmt: skip
        if answer.stop_reason != "end_turn":
            raise failed(f"the answer has ended early: {answer.stop_reason}")
        text = "".join(block.text for block in answer.content if block.type == "text")
        return Answer(text, answer.usage.input_tokens, answer.usage.output_tokens)

    def count(self, model: Model, turns: Sequence[Turn]) -> int:
        """Tokens of a conversation, as the provider counts them."""
        with told_errors():
            counted = self._client.messages.count_tokens(
                model=model.name, system=SYSTEM, messages=_messages(turns)
            )
        return counted.input_tokens


def _messages(turns: Sequence[Turn]) -> Any:
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _system(options: Options) -> str:
    if options.schema is None:
        return SYSTEM
    return f"{SYSTEM}\nAnswer with JSON alone, by this JSON Schema:\n{json.dumps(options.schema)}"
