"""What a namespace remembers of the beginnings of its prompts."""

from hypothesis import given
from hypothesis import strategies as st

from stackproof_gateway import prompt_history
from stackproof_gateway.prompt_history import Part, PromptHistory, after_each, every


def words(count, word="w"):
    return " ".join(f"{word}{at}" for at in range(count))


def test_beginnings_are_cut_at_the_least_length_and_after_each_step():
    cut = every([Part(words(1000)), Part(words(400))])
    assert [one.tokens for one in cut] == [1024, 1152, 1280]
    assert every([Part(words(1023))]) == []


def test_what_follows_changes_no_beginning_and_what_stands_before_changes_all():
    first, other = (every([Part(words(1100)), Part(last)]) for last in (words(90), words(90, "x")))
    assert first[0] == other[0]
    assert first[1].digest != other[1].digest
    for changed in (every([Part("x"), Part(words(1100))]), every([Part(words(1100), "image")]),
                    every([Part(words(1100))], "gpt-4o")):  # fmt: skip
        assert changed[0].digest != first[0].digest


@given(st.lists(st.text(max_size=8), max_size=4), st.lists(st.text(max_size=8), max_size=4))
def test_two_rows_of_parts_have_one_digest_only_if_they_are_the_same(first, second):
    ends = [[*after_each([Part(text) for text in texts])][-1:] for texts in (first, second)]
    assert (ends[0] == ends[1]) == (first == second)


@given(st.lists(st.text(alphabet="ab ", max_size=40), max_size=6), st.integers(1, 9),
       st.integers(1, 9))  # fmt: skip
def test_each_length_is_there_once(texts, least, step):
    total = sum(len(text.split()) for text in texts)
    cut = every([Part(text) for text in texts], least=least, step=step)
    assert [one.tokens for one in cut] == [*range(least, total + 1, step)]


def test_the_longest_beginning_counts_until_it_is_forgotten():
    history = PromptHistory()
    sent = every([Part(words(1300))])
    assert history.longest(sent, now=0) == 0
    history.remember(sent[:2], until=60)
    assert history.longest(sent, now=59) == 1152
    assert history.longest(sent, now=60) == 0
    history.remember(sent[:1], until=90)
    history.remember(sent[:1], until=70)
    assert history.longest(sent, now=80) == 1024


def test_a_history_has_a_bound_and_keeps_what_is_used(monkeypatch):
    monkeypatch.setattr(prompt_history, "MOST", 2)
    history = PromptHistory()
    used, other, third = ([*after_each([Part(text)])] for text in "abc")
    for sent in (used, other, used, third):
        history.remember(sent, until=9)
    assert [history.longest(sent, now=0) for sent in (used, other, third)] == [1, 0, 1]
