"""A budget of requests, tokens and money that is reserved before a call goes out.

The ledger is a file that is read and written under a lock for each call, so that it holds for calls
at once, for several gateways, and over restarts. What a gateway had reserved when it died counts
as spent. A ledger that can't be read allows nothing: it would have to be taken for an empty one.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from stackproof_gateway.provider.prices import Cost
from stackproof_gateway.yaml_files import read_text

_EMPTY: dict[str, Any] = {"requests": 0, "tokens": 0, "usd": "0", "refused": 0, "spent": "",
                          "bill": {}}  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What may be spent.

    Attributes:
        usd: US dollars; 0 sends nothing.
        requests: Requests; None for any number.
        tokens: Tokens; None for any number.
    """

    usd: Decimal
    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Reservation:
    """What a call may cost, taken from the budget until its price is known."""

    namespace: str
    model: str
    cost: Cost


class BudgetSpentError(Exception):
    """The budget does not allow a call; nothing was sent."""


class LedgerError(BudgetSpentError):
    """What was spent can't be read, so nothing more may be."""


class Budget:
    """What may be spent, and what was.

    Args:
        limits: What may be spent.
        path: The ledger; it is made if it is not there.
    """

    def __init__(self, limits: Limits, path: Path) -> None:
        self.limits = limits
        self.path = path
        self._known = json.dumps(_EMPTY)
        path.parent.mkdir(parents=True, exist_ok=True)

    def reserve(
        self, namespace: str, model: str, cost: Cost, own_limit: Decimal | None = None
    ) -> Reservation:
        """Take the most that a call can cost from the budget, before it is sent.

        Args:
            namespace: Who asks.
            model: What is asked.
            cost: The most that it can cost.
            own_limit: What the namespace may spend, in US dollars; None for no limit of its own.

        Raises:
            BudgetSpentError: If the budget does not allow it.
            LedgerError: If the ledger can't be read.
        """
        with self._open() as ledger:
            line = _line(ledger, namespace, model)
            problem = self._problem(ledger, cost)
            if problem:
                ledger["spent"] = problem
            problem = problem or _own_problem(ledger, namespace, cost, own_limit)
            if problem:
                ledger["refused"] += 1
            else:
                _add(ledger, line, cost, requests=1)
        if problem:
            raise BudgetSpentError(f"{problem} {self.summary()}")
        return Reservation(namespace, model, cost)

    def settle(self, reservation: Reservation, cost: Cost) -> None:
        """Replace what was reserved by what the call has cost.

        It stays reserved where the ledger has become unreadable: the call was sent, and its answer
        is not to be lost.
        """
        difference = Cost(cost.tokens - reservation.cost.tokens, cost.usd - reservation.cost.usd)
        with suppress(LedgerError), self._open() as ledger:
            line = _line(ledger, reservation.namespace, reservation.model)
            _add(ledger, line, difference, requests=0)

    def release(self, reservation: Reservation) -> None:
        """Give back what was reserved for a call that was not sent after all."""
        nothing = Cost(-reservation.cost.tokens, -reservation.cost.usd)
        with suppress(LedgerError), self._open() as ledger:
            line = _line(ledger, reservation.namespace, reservation.model)
            _add(ledger, line, nothing, requests=-1)

    def _problem(self, ledger: dict[str, Any], cost: Cost) -> str:
        limits, spent = self.limits, Decimal(ledger["usd"])
        if limits.usd == 0 or spent + cost.usd > limits.usd:
            return (
                f"The budget of ${limits.usd} does not allow this call, which can cost up to "
                f"${_money(cost.usd)}; nothing was sent."
            )
        if limits.requests is not None and ledger["requests"] >= limits.requests:
            return f"The budget of {limits.requests} requests is spent; nothing was sent."
        if limits.tokens is not None and ledger["tokens"] + cost.tokens > limits.tokens:
            return (
                f"The budget of {limits.tokens} tokens does not allow this call, which can take up "
                f"to {cost.tokens}; nothing was sent."
            )
        return ""

    def summary(self) -> str:
        """What was spent, as a sentence."""
        try:
            bill = self.bill()
        except LedgerError as error:
            return str(error)
        return (
            f"Spent so far: ${_money(Decimal(bill['usd']))} of ${self.limits.usd} in "
            f"{bill['requests']} requests, {bill['tokens']} tokens."
        )

    def bill(self) -> dict[str, Any]:
        """What was spent: in all, and by namespace and model; and what may be.

        `spent` says what the budget has last refused; it is empty while it is enough. What was
        refused by the limit of a namespace alone is counted only.

        Raises:
            LedgerError: If the ledger can't be read.
        """
        with self._open() as ledger:
            limits = {"usd": str(self.limits.usd), "requests": self.limits.requests,
                      "tokens": self.limits.tokens}  # fmt: skip
            return {**ledger, "limits": limits}

    @contextmanager
    def _open(self) -> Iterator[dict[str, Any]]:
        """The ledger, to be read and changed; nobody else can meanwhile."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            before = self._read()
            ledger = _parsed(before or self._known, self.path)
            yield ledger
            after = json.dumps(ledger, indent=1)
            if after != before:
                self._write(after)
            self._known = after

    def _read(self) -> str:
        """The ledger's text; empty where there is none, since nothing was spent or it was removed.

        What this gateway knows to be spent is written anew in that case.
        """
        try:
            text = read_text(self.path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise _unreadable(self.path, str(error)) from None
        return text or "(nothing)"  # an empty file is a torn one

    def _write(self, text: str) -> None:
        """Put a text in place of the ledger, whole or not at all."""
        fresh = self.path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _parsed(text: str, path: Path) -> dict[str, Any]:
    """A ledger that was read.

    Raises:
        LedgerError: If it is not one.
    """
    try:
        ledger: dict[str, Any] = json.loads(text)
        accounts = [
            ledger,
            *(line for models in ledger["bill"].values() for line in models.values()),
        ]
        sums = [
            (int(account["requests"]), int(account["tokens"]), Decimal(account["usd"]))
            for account in accounts
        ]
        whole = isinstance(ledger["spent"], str) and isinstance(ledger["refused"], int)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError, InvalidOperation):
        raise _unreadable(path, f"it begins with {text[:60]!r}") from None
    if not whole or any(not usd.is_finite() or usd < 0 or min(n) < 0 for *n, usd in sums):
        raise _unreadable(path, "its sums are negative or not numbers")
    return ledger


def _unreadable(path: Path, observed: str) -> LedgerError:
    return LedgerError(
        f"The ledger {path} can't be read, so what was spent is not known ({observed}); "
        "nothing was sent. Repair it, or delete it to start from nothing spent."
    )


def _line(ledger: dict[str, Any], namespace: str, model: str) -> dict[str, Any]:
    models = ledger["bill"].setdefault(namespace, {})
    line: dict[str, Any] = models.setdefault(model or "-", {"requests": 0, "tokens": 0, "usd": "0"})
    return line


def _add(ledger: dict[str, Any], line: dict[str, Any], cost: Cost, requests: int) -> None:
    for account in (ledger, line):
        account["requests"] += requests
        account["tokens"] += cost.tokens
        account["usd"] = str(Decimal(account["usd"]) + cost.usd)


def _own_problem(ledger: dict[str, Any], namespace: str, cost: Cost, limit: Decimal | None) -> str:
    if limit is None:
        return ""
    spent = sum((Decimal(line["usd"]) for line in ledger["bill"][namespace].values()), Decimal(0))
    if limit == 0 or spent + cost.usd > limit:
        return (
            f"The budget of ${limit} of {namespace} does not allow this call, which can cost up to "
            f"${_money(cost.usd)}; nothing was sent."
        )
    return ""


def _money(usd: Decimal) -> str:
    return f"{usd:.6f}"
