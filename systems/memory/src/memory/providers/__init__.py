"""The model providers: one question, one answer, one kind of failure for all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from memory.models import Model
from memory.prompts import Turn
from memory.settings import Settings


@dataclass(frozen=True)
class Options:
    """How a model is to answer.

    Attributes:
        temperature: Randomness, for models that take it.
        reasoning_effort: How much a reasoning model thinks.
        schema: JSON Schema of the answer; None for text.
    """

    temperature: float | None = None
    reasoning_effort: str | None = None
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Answer:
    """What a model has said.

    Attributes:
        text: The text.
        input_tokens: Tokens of the question, by the provider's count.
        output_tokens: Tokens of the answer.
    """

    text: str
    input_tokens: int
    output_tokens: int


class Provider(Protocol):
    """A provider of models."""

    def ask(self, model: Model, turns: Sequence[Turn], options: Options) -> Answer:
        """Ask a model.

        Raises:
            ToolFailedError: If there is no whole answer.
        """

    def count(self, model: Model, turns: Sequence[Turn]) -> int:
        """Tokens that a model sees in a conversation.

        Raises:
            ToolFailedError: If the provider does not say.
        """


class Providers:
    """All providers; each one's client is loaded when it is asked first.

    Args:
        settings: Time limits and retries.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[str, Provider] = {}
        self._making = threading.Lock()

    def of(self, model: Model) -> Provider:
        """The provider of a model."""
        provider: Provider = self.named(model.provider)
        return provider

    def named(self, name: str) -> Any:
        """A provider by its name."""
        with self._making:  # threads that import the same packages at once see half of them
            if name not in self._made:
                made: Callable[[Settings], Provider]
                made = import_module(f"memory.providers.{name}_api").make
                self._made[name] = made(self._settings)
            return self._made[name]
