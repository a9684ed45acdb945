"""An `e2e_llm` run around its choice: folders before it, the right gateway in it, the bill after.

The gateway is asked over HTTP who answers in it, since a stack file that does not pass the choice
on would let every test pass without a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackproof.errors import Refused, StackproofError
from stackproof.llm_choice import ASKING, CHECK, PREFIX, LlmChoice
from stackproof.settings import load_settings

ASK_SECONDS = 10.0
LEDGER = "llm.json"
HOW_TO = "docs/how-to/record-and-replay.md has the lines for the stack file"


def choose(
    root: Path, stack: str | None, environment: Mapping[str, str], choice: LlmChoice
) -> dict[str, str]:
    """The variables of a choice, with the folders of the stack that it is for.

    Recordings are in `tests/cassettes/<stack>` unless the choice says otherwise; each session that
    can spend money has a new ledger below the artifacts.

    Args:
        root: The project's folder.
        stack: Name of the stack; None where there is only one.
        environment: The process environment.
        choice: What the person chose.

    Raises:
        ConfigError: If a setting is wrong.
        Refused: If the choice can't be carried out.
    """
    if choice.mode is None:
        return choice.environment(environment)
    settings = load_settings(root, stack=stack, environment=environment)
    known = {**environment, **settings.variables}
    default = f"tests/cassettes/{settings.stack}"
    cassettes = root / (choice.cassettes or known.get("GATEWAY_CASSETTES") or default)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    ledger = settings.artifacts / "llm-ledgers" / moment
    found = replace(choice, cassettes=cassettes.resolve(), ledger=ledger).environment(known)
    if choice.mode in ASKING:
        ledger.mkdir(parents=True)
        cassettes.mkdir(parents=True, exist_ok=True)
    if choice.mode == CHECK:  # there is no stack file between the choice and the gateway
        given = {name: value for name, value in known.items() if name.startswith(PREFIX)}
        return {**given, **found, "GATEWAY_LEDGER": str(ledger / LEDGER)}
    return found


@dataclass(frozen=True)
class LlmGateway:
    """The gateway of a running stack, as the run sees it.

    Attributes:
        url: Its address.
    """

    url: str

    def require(self, mode: str) -> None:
        """Make sure that the gateway answers as it was chosen.

        Raises:
            Refused: If it answers in another way.
        """
        actual = self._ask("/health").get("llm")
        if actual != mode:
            raise Refused(
                f"--llm {mode} did not reach the stack's gateway",
                observed=f"the gateway at {self.url} answers in the mode {actual}",
                remedy=f"let the stack file pass GATEWAY_LLM and the others on: {HOW_TO}",
            )

    def bill(self) -> dict[str, Any]:
        """What was spent at the real provider.

        Raises:
            StackproofError: If the gateway does not say.
        """
        return self._ask("/_gateway/bill")

    def _ask(self, path: str) -> dict[str, Any]:
        import httpx

        try:
            answer = httpx.get(self.url + path, timeout=ASK_SECONDS).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise StackproofError(
                f"the gateway at {self.url} did not answer {path}", observed=str(error)
            ) from None
        return answer if isinstance(answer, dict) else {}


def describe_bill(bill: Mapping[str, Any]) -> list[str]:
    """A bill as lines: what was spent of what, by model, and why the run ended if it did so."""
    limits = bill["limits"]
    total = f"{bill['requests']} requests, {bill['tokens']} tokens, {bill['refused']} refused"
    lines = [f"bill: ${bill['usd']} of ${limits['usd']}, {total}"]
    models: dict[str, list[Any]] = {}
    for spent in bill["bill"].values():
        for model, line in spent.items():
            models.setdefault(model, []).append(line)
    for model, spending in sorted(models.items()):
        usd = sum(float(one["usd"]) for one in spending)
        requests = sum(one["requests"] for one in spending)
        tokens = sum(one["tokens"] for one in spending)
        lines.append(f"  {model}: ${usd:.6f}, {requests} requests, {tokens} tokens")
    return [*lines, *([bill["spent"]] if bill.get("spent") else [])]
