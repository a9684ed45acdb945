"""Who answers the model calls of an `e2e_llm` run: chosen by a person, never by accident."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from stackproof.errors import Refused

MODES = ("fake", "replay", "record", "live")
CHECK = "check"
ASKING = ("record", "live", CHECK)
RECORDED = ("replay", "record", CHECK)
KEYS = ("GATEWAY_OPENAI_KEY", "GATEWAY_ANTHROPIC_KEY", "GATEWAY_GEMINI_KEY")
PREFIX = "GATEWAY_"
ALLOW_UNUSED = "GATEWAY_ALLOW_UNUSED"
"""Variable that lets a replay pass although recorded calls were not asked."""

FAKE = {"GATEWAY_LLM": "fake"}
"""What every run but `e2e_llm` tells the gateway, whatever else is set."""

EXPLANATION = """\
nox -s e2e_llm -- --llm fake                       the gateway's own deterministic replies
nox -s e2e_llm -- --llm replay                     recorded answers; an unknown request fails
nox -s e2e_llm -- --llm record --budget-usd 0.50   ask the real provider and record its answers
nox -s e2e_llm -- --llm live --budget-usd 0.50     ask the real provider
nox -s e2e_llm -- --llm check --budget-usd 0.50    ask again what was recorded: has it changed?
record, live and check need a key in GATEWAY_OPENAI_KEY, GATEWAY_ANTHROPIC_KEY or
GATEWAY_GEMINI_KEY"""


@dataclass(frozen=True)
class LlmChoice:
    """What a person chose.

    Attributes:
        mode: `fake`, `replay`, `record`, `live` or `check`; None where nothing was chosen.
        budget_usd: US dollars that may be spent, as text.
        cassettes: Folder of recordings.
        ledger: Folder of the file that remembers what the session has spent.
        allow_unused: Whether a replay may leave out recorded calls, or all of them.
    """

    mode: str | None = None
    budget_usd: str | None = None
    cassettes: Path | None = None
    ledger: Path | None = None
    allow_unused: bool = False

    def environment(self, known: Mapping[str, str]) -> dict[str, str]:
        """The variables that tell the stack's gateway of the choice.

        Args:
            known: The process environment and the stack's variables, which hold the provider's key.

        Raises:
            Refused: If nothing was chosen, if it could spend money and has no key or budget, or if
                there is nothing to replay or check.
        """
        if self.mode not in (*MODES, CHECK):
            raise Refused(
                "choose who answers the model calls with --llm",
                observed=EXPLANATION,
                remedy="choose one of these",
            )
        found = {"GATEWAY_LLM": self.mode}
        if self.mode in ASKING:
            found["GATEWAY_BUDGET_USD"] = self._budget(known)
            found["GATEWAY_USER"] = f"{os.getuid()}:{os.getgid()}"
            self._require_key(known)
        if self.mode in RECORDED:
            found["GATEWAY_CASSETTES"] = str(self._recordings())
        if self.mode == "replay" and (self.allow_unused or known.get(ALLOW_UNUSED)):
            found[ALLOW_UNUSED] = "1"
        if self.mode in ASKING and self.ledger is not None:
            found["GATEWAY_LEDGER_FOLDER"] = str(self.ledger)
        return found

    def _recordings(self) -> Path:
        folder = self.cassettes
        if folder is None or not (self.mode == "record" or any(folder.glob("*.yaml"))):
            raise Refused(
                f"--llm {self.mode} needs recordings",
                observed=f"there are none in {folder}" if folder else "there is no --cassettes",
                remedy="record them first (nox -s e2e_llm -- --llm record --budget-usd 0.50), or "
                "name their folder: --cassettes FOLDER",
            )
        return folder

    def _budget(self, known: Mapping[str, str]) -> str:
        given = self.budget_usd or known.get("GATEWAY_BUDGET_USD") or ""
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

    def _require_key(self, known: Mapping[str, str]) -> None:
        if not any(known.get(name) for name in KEYS):
            raise Refused(
                f"--llm {self.mode} asks a real provider, so it needs its key",
                observed=f"neither {' nor '.join(KEYS)} is set",
                remedy="set one of them, or choose --llm fake or --llm replay",
            )
