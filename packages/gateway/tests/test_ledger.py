"""The ledger of spending: a killed gateway forgets nothing, and a torn file resets nothing."""

import json
import random
import subprocess
import sys
import time
from decimal import Decimal

import httpx
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packages.gateway.tests.rig import ask

from stackproof_gateway.provider.budget import Budget, BudgetSpentError, LedgerError, Limits
from stackproof_gateway.provider.prices import Cost

PLENTY = Limits(Decimal(1000))
CALL = Cost(10, Decimal("0.001"))

SPENDER = """\
import sys
from decimal import Decimal
from pathlib import Path
from stackproof_gateway.provider.budget import Budget, Limits
from stackproof_gateway.provider.prices import Cost
budget = Budget(Limits(Decimal(1000)), Path(sys.argv[1]))
while True:
    print("sent", flush=True) if budget.reserve("t", "m", Cost(10, Decimal("0.001"))) else None
"""


def spent(path):
    return Budget(PLENTY, path).bill()


@pytest.mark.parametrize("number", range(5))
def test_what_a_killed_gateway_has_sent_is_not_forgotten(tmp_path, number):
    path = tmp_path / "ledger.json"
    spender = subprocess.Popen(
        [sys.executable, "-c", SPENDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert spender.stdout.readline() == "sent\n"
    time.sleep(random.Random(number).uniform(0.0, 0.1))  # the moment is what this test varies
    spender.kill()
    sent = 1 + len(spender.communicate()[0].split())
    bill = spent(path)
    assert sent <= bill["requests"] <= sent + 1  # the last may have been reserved and not sent
    assert Decimal(bill["usd"]) == CALL.usd * bill["requests"]
    Budget(PLENTY, path).reserve("t", "m", CALL)  # a killed holder's lock does not stay
    assert spent(path)["requests"] == bill["requests"] + 1


def whole(tmp_path):
    budget = Budget(PLENTY, tmp_path / "ledger.json")
    budget.reserve("t", "m", CALL)
    return budget.path


def refused(path):
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="nothing was sent") as raised:
        Budget(PLENTY, path).reserve("t", "m", CALL)
    assert str(path) in str(raised.value)
    assert path.read_bytes() == before
    return True


def test_a_ledger_cut_at_any_byte_allows_nothing_and_is_left_as_it_is(tmp_path):
    path = whole(tmp_path)
    text = path.read_bytes()
    for length in range(len(text)):
        path.write_bytes(text[:length])
        assert refused(path)


def changed(**fields):
    return json.dumps({"requests": 0, "tokens": 0, "usd": "0", "refused": 0, "spent": "",
                       "bill": {}, **fields})  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["null", "[]", "{}", '"0"', "0", changed(usd="NaN"), changed(usd="-1"), changed(requests=-1),
     changed(tokens=None), changed(usd="much"), changed(bill={"t": {"m": {}}}), changed(bill=[]),
     "[" * 100_000, changed(usd="Infinity"), changed(refused=""), "\0" * 100],
)  # fmt: skip
def test_a_ledger_that_is_not_one_allows_nothing(tmp_path, text):
    path = tmp_path / "ledger.json"
    path.write_text(text)
    assert refused(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
def test_no_bytes_in_place_of_a_ledger_count_as_nothing_spent(tmp_path, data):
    path = tmp_path / "ledger.json"
    path.write_bytes(data)
    assert refused(path)


def test_a_ledger_that_is_removed_under_a_gateway_is_written_anew_with_what_it_knows(tmp_path):
    budget = Budget(Limits(CALL.usd), tmp_path / "ledger.json")
    budget.reserve("t", "m", CALL)
    budget.path.unlink()
    with pytest.raises(BudgetSpentError, match="does not allow"):
        budget.reserve("t", "m", CALL)
    assert spent(budget.path)["requests"] == 1


def test_an_answer_that_was_paid_for_is_not_lost_with_the_ledger(tmp_path):
    budget = Budget(PLENTY, tmp_path / "ledger.json")
    reservation = budget.reserve("t", "m", CALL)
    budget.path.write_text("{")
    budget.settle(reservation, CALL)
    assert "can't be read" in budget.summary()
    assert budget.path.read_text() == "{"


def test_a_gateway_with_a_torn_ledger_sends_nothing_and_says_why(rig):
    gateway = rig.gateway("live")
    ask(rig.client(gateway))
    sent = len(rig.provider.requests())
    (rig.folder / "ledger.json").write_text('{"requests": 1, "tok')
    with pytest.raises(openai.RateLimitError, match="what was spent is not known"):
        ask(rig.client(gateway))
    assert len(rig.provider.requests()) == sent
    with pytest.raises(httpx.HTTPStatusError, match="503"):
        gateway.bill()
