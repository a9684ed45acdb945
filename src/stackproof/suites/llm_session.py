"""An `e2e_llm` run around its choice: folders before it, the right gateway in it, the bill after.

The gateway is asked over HTTP who answers in it, since a stack file that does not pass the choice
on would let every test pass without a provider.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stackproof.errors import Refused, StackproofError
from stackproof.settings import load_settings
from stackproof.settings.llm_choice import ALLOW_UNUSED, ASKING, CHECK, PREFIX, LlmChoice

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


def require_mode(gateway: str, mode: str) -> None:
    """Make sure that a stack's gateway answers as it was chosen.

    Args:
        gateway: Its address.
        mode: Who was chosen to answer.

    Raises:
        Refused: If it answers in another way.
        StackproofError: If it does not say.
    """
    import httpx

    try:
        told = httpx.get(f"{gateway}/health", timeout=ASK_SECONDS).raise_for_status().json()
        actual = told.get("llm") if isinstance(told, dict) else None
    except (httpx.HTTPError, ValueError) as error:
        raise StackproofError(
            f"the gateway at {gateway} does not report its mode", observed=str(error)
        ) from None
    if actual != mode:
        raise Refused(
            f"--llm {mode} did not reach the stack's gateway",
            observed=f"the gateway at {gateway} answers in the mode {actual}",
            remedy="pass GATEWAY_LLM and its other variables to the gateway in the stack file: "
            + HOW_TO,
        )


def require_replayed(folder: Path, llm: Mapping[str, str], gateway: str | None) -> None:
    """Make sure that a replay whose tests have passed has served a recorded answer at all.

    Args:
        folder: Artifacts of the run, with what the calls of each test have cost.
        llm: What `choose` gave.
        gateway: Address of the suite's own gateway, with its token; None if there is none.

    Raises:
        Refused: If it has served none, and that was not allowed.
    """
    if llm.get("GATEWAY_LLM") != "replay" or llm.get(ALLOW_UNUSED):
        return
    costs = [json.loads(path.read_text()) for path in folder.glob("llm-costs*.json")]
    if any(test["replayed"] for tests in costs for test in tests) or _served(gateway):
        return
    raise Refused(
        "the replay has tested nothing",
        observed=f"all tests passed, and none asked for a recording of {llm['GATEWAY_CASSETTES']}",
        remedy="check that the services call the stack's gateway, and that the tests have the "
        "fixture `gateway`; or allow it: --allow-unused",
    )


def _served(gateway: str | None) -> bool:
    """Whether a gateway has replayed a recording; one that does not know has not."""
    import httpx

    if gateway is None:
        return False
    try:
        told = httpx.get(f"{gateway}/_gateway/recordings", timeout=ASK_SECONDS).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(told, dict) and bool(told.get("served"))


def read_bill(llm: Mapping[str, str]) -> dict[str, Any] | None:
    """What a session has spent; None where nothing was to be spent.

    Args:
        llm: What `choose` gave.
    """
    folder = llm.get("GATEWAY_LEDGER_FOLDER")
    if folder is None:
        return None
    try:
        bill: dict[str, Any] = json.loads(Path(folder, LEDGER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"usd": "0", "requests": 0, "tokens": 0, "refused": 0, "bill": {},
                "limits": {"usd": llm["GATEWAY_BUDGET_USD"]}}  # fmt: skip
    return {**bill, "limits": {"usd": llm["GATEWAY_BUDGET_USD"]}}


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
        usd = sum(float(notice["usd"]) for notice in spending)
        requests = sum(notice["requests"] for notice in spending)
        tokens = sum(notice["tokens"] for notice in spending)
        lines.append(f"  {model}: ${usd:.6f}, {requests} requests, {tokens} tokens")
    return [*lines, *([bill["spent"]] if bill.get("spent") else [])]
