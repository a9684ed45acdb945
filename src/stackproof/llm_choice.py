"""Who answers the model calls of an `e2e_llm` run: chosen by a person, never by accident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from stackproof.errors import Refused

MODES = ("fake", "replay", "record", "live")
ASKING = ("record", "live")
KEYS = ("GATEWAY_OPENAI_KEY", "GATEWAY_ANTHROPIC_KEY")

EXPLANATION = """\
nox -s e2e_llm -- --llm fake                       the gateway's own deterministic replies
nox -s e2e_llm -- --llm replay                     recorded answers; an unknown request fails
nox -s e2e_llm -- --llm record --budget-usd 0.50   ask the real provider and record its answers
nox -s e2e_llm -- --llm live --budget-usd 0.50     ask the real provider
record and live need a key in GATEWAY_OPENAI_KEY or GATEWAY_ANTHROPIC_KEY"""


@dataclass(frozen=True)
class LlmChoice:
    """What a person chose.

    Attributes:
        mode: `fake`, `replay`, `record` or `live`; None where nothing was chosen.
        budget_usd: US dollars that may be spent, as text.
        cassettes: Folder of recordings.
    """

    mode: str | None = None
    budget_usd: str | None = None
    cassettes: str | None = None

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The variables that tell the gateway of the choice.

        Args:
            environment: The process environment, which holds the provider's key.

        Raises:
            Refused: If nothing was chosen, or if it could spend money and has no key or budget.
        """
        if self.mode not in MODES:
            raise Refused(
                "e2e_llm does not choose by itself who answers the model calls",
                observed=EXPLANATION,
                remedy="choose one of these",
            )
        found = {"GATEWAY_LLM": self.mode}
        if self.cassettes:
            found["GATEWAY_CASSETTES"] = self.cassettes
        if self.mode in ASKING:
            found["GATEWAY_BUDGET_USD"] = self._budget(environment)
            self._require_key(environment)
        return found

    def _budget(self, environment: Mapping[str, str]) -> str:
        given = self.budget_usd or environment.get("GATEWAY_BUDGET_USD") or ""
        try:
            usd = Decimal(given.removeprefix("$"))
        except InvalidOperation:
            usd = Decimal(-1)
        if not usd.is_finite() or usd < 0:
            raise Refused(
                f"--llm {self.mode} spends money, so it needs a budget",
                observed=f"--budget-usd is {given!r}" if given else "there is no --budget-usd",
                remedy=f"say how much: nox -s e2e_llm -- --llm {self.mode} --budget-usd 0.50",
            )
        return str(usd)

    def _require_key(self, environment: Mapping[str, str]) -> None:
        if not any(environment.get(name) for name in KEYS):
            raise Refused(
                f"--llm {self.mode} asks a real provider, so it needs its key",
                observed=f"neither {' nor '.join(KEYS)} is set",
                remedy="set one of them, or choose --llm fake or --llm replay",
            )
