"""The models that the server offers, each as a tool of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

BUDGET = 0.85
"""Share of a model's window that a conversation may fill."""


@dataclass(frozen=True)
class Model:
    """A model that can be asked.

    Attributes:
        name: The provider's name of it.
        provider: `openai`, `gemini` or `anthropic`.
        window: Tokens of its context window.
        reasons: Whether it takes `reasoning_effort` instead of `temperature`.
    """

    name: str
    provider: str
    window: int
    reasons: bool = False

    @property
    def tool(self) -> str:
        """Name of the tool that asks it."""
        return "chat_with_" + re.sub(r"[^a-z0-9]+", "_", self.name)

    def budget(self, bound: int) -> int:
        """Most tokens of a conversation.

        Args:
            bound: Upper bound of the window; 0 for none.
        """
        return int(BUDGET * (min(self.window, bound) if bound else self.window))


MODELS = (
    Model("gpt-4.1-mini", "openai", 1_047_576),
    Model("o4-mini", "openai", 200_000, reasons=True),
    Model("gemini-2.5-flash", "gemini", 1_048_576),
    Model("claude-sonnet-4-5", "anthropic", 200_000),
)
BY_NAME = {model.name: model for model in MODELS}
