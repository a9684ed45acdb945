"""Bounds are compared with published values and with their own definition; causes by example."""

import math

import pytest

from stackproof.suites.flake import Failure, cause_of, table, tallies, upper_bound, without_run


@pytest.mark.parametrize(
    ("failed", "runs", "bound"),
    [
        (0, 50, 0.0582),  # the "rule of three" says 0.06
        (0, 200, 0.0149),
        (0, 1, 0.95),
        (1, 10, 0.3942),  # 95 % one-sided limits of the binomial distribution, from tables
        (2, 20, 0.2826),
        (5, 10, 0.7776),
        (10, 10, 1.0),
    ],
)
def test_the_bound_is_the_exact_one_of_clopper_and_pearson(failed, runs, bound):
    assert upper_bound(failed, runs) == pytest.approx(bound, abs=1e-4)


@pytest.mark.parametrize(("failed", "runs"), [(1, 7), (3, 50), (17, 200), (400, 5000)])
def test_at_the_bound_so_few_failures_have_the_probability_that_is_left(failed, runs):
    rate = upper_bound(failed, runs)
    terms = (
        math.exp(
            math.log(math.comb(runs, number))
            + number * math.log(rate)
            + (runs - number) * math.log1p(-rate)
        )
        for number in range(failed + 1)
    )
    assert sum(terms) == pytest.approx(0.05, rel=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("run 7f3a9b12 is late", "run 00ff11ee is late"),
        ("not within 60.0 s", "not within 61.2 s"),
        ("at 2026-11-21T10:00:00Z", "at 2026-11-22 11:12:13.5+00:00"),
        ("<Foo at 0x7f00aa>", "<Foo at 0x7f00bb>"),
        ("no /tmp/pytest-1/a", "no /tmp/pytest-2/b"),
        ("4e0fc8a2-9d53-4f1c-8a53-0d6c1a7b9d10 gone", "9d53fc8a-0000-4f1c-8a53-0d6c1a7b9d11 gone"),
        ("\n  first line\nrest", "first line\nother rest"),
    ],
)
def test_what_differs_each_time_is_no_part_of_a_cause(one, other):
    assert cause_of(one) == cause_of(other)


def test_words_are_part_of_a_cause():
    assert cause_of("facade is not decade") == "facade is not decade"
    assert cause_of("queued, not done") != cause_of("failed, not done")
    assert cause_of("") == "no message"


@pytest.mark.parametrize(
    ("test", "name"),
    [
        ("t.py::test_a[run3]", "t.py::test_a"),
        ("t.py::test_a[x-run12]", "t.py::test_a[x]"),
        ("t.py::test_a[run3-x]", "t.py::test_a[run3-x]"),
        ("t.py::test_a", "t.py::test_a"),
    ],
)
def test_the_runs_of_a_test_are_counted_together(test, name):
    assert without_run(test) == name


def test_the_table_has_rates_bounds_and_causes_those_that_fail_most_first():
    passed = [f"t.py::test_a[run{number}]" for number in range(50)]
    passed += [f"t.py::test_b[run{number}]" for number in range(47)]
    failures = [
        Failure("t.py::test_b[run47]", "refused"),
        Failure("t.py::test_b[run48]", "late", "kept/here"),
        Failure("t.py::test_b[run49]", "late"),
    ]
    assert table(tallies(passed, failures)) == [
        "test          runs  failed    rate  95 % upper bound",
        "t.py::test_b    50       3    6.0%             14.8%",
        "t.py::test_a    50       0    0.0%              5.8%",
        "",
        "2 failed by: late",
        "    t.py::test_b[run48]  kept/here",
        "    t.py::test_b[run49]",
        "",
        "1 failed by: refused",
        "    t.py::test_b[run47]",
    ]
