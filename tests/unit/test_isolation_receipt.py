"""What a receipt says of all services together, and what a strict stack makes of it."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from stackproof.engines.process.receipt.attempts import Attempt, RefusedError, outcome_of, worst
from stackproof.engines.process.receipt.attempts import UntestableError as Untestable
from stackproof.engines.process.receipt.probes import PROBES
from stackproof.engines.receipt import MEANINGS, REMEDIES, Receipt
from stackproof.errors import ConfigError, StartFailed
from stackproof.lifecycle.strictness import refuse_weak_world, require_enforced
from stackproof.settings.model import Isolation
from stackproof.stack.world_choice import ChosenWorld


def told(**verdicts):
    """What the supervisor tells of a service: probe → the verdicts of its attempts."""
    return [
        {"probe": probe, "verdict": worst(ways), "attempts": [
            {"verdict": way, "tried": f"{probe} by way {at}", "observed": f"{way} it was"}
            for at, way in enumerate(ways)
        ]}
        for probe, ways in verdicts.items()
    ]  # fmt: skip


def receipt(world="private", **services):
    return Receipt.from_json(world, {"milliseconds": 12.3, "services": services})


FINE = told(ports=["enforced"], names=["enforced", "enforced"])
OPEN = told(ports=["enforced", "open"], names=["untestable", "enforced"])


def test_every_probe_is_explained_and_no_other():
    assert set(MEANINGS) == set(PROBES)
    assert set(REMEDIES) <= set(PROBES)


@pytest.mark.parametrize(
    ("raised", "verdict", "observed"),
    [
        (PermissionError(1, "x"), "enforced", "Operation not permitted"),
        (RefusedError("it was closed"), "enforced", "it was closed"),
        (Untestable("nothing came back"), "untestable", "nothing came back"),
        (OSError(38, "x"), "untestable", "Function not implemented"),
        (None, "open", "it answered"),
    ],
)
def test_what_comes_back_decides_on_an_attempt(raised, verdict, observed):
    def action():
        if raised is not None:
            raise raised
        return "it answered"

    assert outcome_of(Attempt("try", action)) == (verdict, "try", observed)


@pytest.mark.parametrize(
    ("verdicts", "of_all"),
    [
        (["enforced", "open", "untestable"], "open"),
        (["enforced", "untestable"], "untestable"),
        (["enforced", "enforced"], "enforced"),
        ([], "untestable"),
    ],
)
def test_one_open_way_opens_all_and_one_untested_leaves_it_untestable(verdicts, of_all):
    assert worst(verdicts) == of_all


def test_a_row_names_the_services_only_where_they_differ_and_the_way_that_decided():
    rows = [*receipt(api=FINE, db=OPEN).rows()]
    assert rows[:2] == [
        ("open", "reach TCP ports of this machine (db)", "ports by way 1: open it was"),
        ("enforced", "reach TCP ports of this machine (api)", "ports by way 0: enforced it was"),
    ]
    assert next(receipt(api=FINE, db=FINE).rows())[1] == "reach TCP ports of this machine"


def test_the_summary_counts_and_tells_how_long_it_took():
    assert receipt(api=FINE, db=OPEN).summary == (
        "private world, 2 services: 2 enforced, 1 open, 1 untestable; took 12 ms"
    )


def test_a_shared_server_is_as_weak_as_its_own_run_says():
    servers = receipt("host", db=OPEN, helper=OPEN)
    both = receipt(api=FINE).with_services_of(servers, ["db"])
    assert (set(both.services), both.weak, both.world) == (
        {"api", "db"}, ("ports", "names"), "host",
    )  # fmt: skip


def test_a_service_that_told_nothing_is_weak():
    silent = told(ports=["untestable"])
    assert receipt(api=silent).weak == ("ports",)


def strict_stack(found, *, strict=True, engine="process", world="private", notice=""):
    """A stack that is being started, and what it would be refused with."""

    def refusal(key, what, *, observed, remedy):
        return ConfigError(what, source="config/shop.yaml", key=".".join(key), observed=observed,
                           remedy=remedy)  # fmt: skip

    plan = SimpleNamespace(engine=engine, world=world, project="shop-e2e")
    settings = SimpleNamespace(
        isolation=replace(Isolation(), strict=strict), refusal=refusal, source=lambda _: "line 4"
    )
    resolved = SimpleNamespace(settings=settings, plan=plan, world=ChosenWorld(world, notice))
    running = SimpleNamespace(receipt=lambda: found)
    return resolved, SimpleNamespace(running=running, plan=plan)


def test_a_strict_stack_goes_on_where_all_is_enforced():
    require_enforced(*strict_stack(receipt(api=FINE)))


def test_a_stack_that_is_not_strict_takes_no_receipt():
    resolved, stack = strict_stack(None, strict=False)
    stack.running.receipt = lambda: pytest.fail("it was taken")
    require_enforced(resolved, stack)
    refuse_weak_world(strict_stack(None, strict=False, world="host")[0])


def test_a_strict_stack_fails_with_all_that_is_open_or_untestable():
    with pytest.raises(StartFailed) as failed:
        require_enforced(*strict_stack(receipt(api=FINE, db=OPEN)))
    assert failed.value.what == (
        "shop-e2e is not as isolated as `isolation.strict` demands (line 4)"
    )
    assert failed.value.observed.splitlines() == [
        "open: reach TCP ports of this machine (db): ports by way 1: open it was",
        "untestable: reach this machine's name servers (db): names by way 0: untestable it was",
    ]
    assert failed.value.remedy == (
        "write `hermetic: true`, which lets no connection and no name out; "
        "or remove `isolation.strict`"
    )


def test_a_stack_that_stays_up_is_named_with_its_end():
    with pytest.raises(StartFailed, match="shop-e2e is still up, `invoke down` ends it"):
        require_enforced(*strict_stack(receipt(api=OPEN)), stays=True)


@pytest.mark.parametrize(
    ("engine", "world", "notice", "observed", "remedy"),
    [
        ("compose", "host", "", "the compose engine runs it", "write `engine: process` and"),
        ("process", "host", "", "`world` is `host`", "write `engine: process` and"),
        ("process", "host", "run as root", "run as root", "allow it as said, or remove"),
    ],
)
def test_a_strict_stack_without_a_private_world_is_refused_before_it_starts(
    engine, world, notice, observed, remedy
):
    resolved, _ = strict_stack(None, engine=engine, world=world, notice=notice)
    with pytest.raises(ConfigError) as refused:
        refuse_weak_world(resolved)
    assert refused.value.observed == observed
    assert refused.value.remedy.startswith(remedy)
    assert "`invoke doctor --isolation` shows what is open" in refused.value.remedy
