"""The marker `stack` is read strictly, and a test gets a shared stack only where somebody asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackproof.errors import ConfigError
from stackproof.pytest_plugin.markers import (
    OPTIONS,
    StackMarker,
    check_words,
    read_marker,
    refuse_wishes,
)
from stackproof.pytest_plugin.options import Wish
from stackproof.stack_file.model import Limits

SERVICES = {"api": (), "worker": (), "beat": ("beat",)}

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def test_a_marker_says_all_that_it_can():
    marker = read_marker(
        ["shop"],
        {
            "isolation": "module",
            "profiles": ["beat"],
            "env": {"api": {"DELAY": 5}},
            "limits": {"worker": {"cpus": 0.5, "memory": "1m", "pids": 10}},
            "shared": [],
        },
    )
    limits = {"worker": Limits(0.5, 1 << 20, 10)}
    env = {"api": {"DELAY": "5"}}
    assert marker == StackMarker("shop", "module", ("beat",), env, limits, ())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"isolaton": "test"}, "no option 'isolaton'.*did you mean isolation"),
        ({"isolation": "galaxy"}, "stack\\(isolation=\\): there is no isolation 'galaxy'"),
        ({"profiles": "beat"}, "'beat' is not a list of names.*profiles=\\[\"beat\"\\]"),
        ({"profiles": [1]}, r"\[1\] is not a list of names"),
        ({"shared": "redis"}, "'redis' is not a list of names"),
        ({"env": ["api"]}, "does not say for which services"),
        ({"env": {"api": "DEBUG=1"}}, "what api is to have is 'DEBUG=1', not names with values"),
        ({"env": {"api": {"DEBUG": True}}}, "DEBUG of api is True, not a text or a number"),
        ({"env": {"api": {"DEBUG": None}}}, "DEBUG of api is None, not a text or a number"),
        ({"limits": {"api": {"memroy": "1g"}}}, "api has no limit 'memroy'.*did you mean memory"),
        ({"limits": {"api": {"cpus": "2"}}}, "cpus of api is '2', not a positive number"),
        ({"limits": {"api": {"pids": 0}}}, "pids of api is 0, not a positive number"),
        ({"limits": {"api": {"memory": "much"}}}, "'?much'? is not a size"),
        ({"name": 7}, "7 is not the name of a stack"),
    ],
)
def test_a_wrong_word_or_type_is_an_error(options, told):
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        read_marker([], options)


def test_two_stacks_can_not_be_named():
    with pytest.raises(ConfigError, match="more than one stack is named"):
        read_marker(["shop", "beat"], {})


@given(st.lists(PLAIN, max_size=2), st.dictionaries(st.sampled_from(OPTIONS) | st.text(), PLAIN))
def test_any_arguments_are_read_or_refused(args, options):
    try:
        marker = read_marker(args, options)
    except ConfigError:
        return
    assert set(marker.wishes) <= {name for name, value in options.items() if value}


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        (StackMarker(profiles=("baet",)), "no profile 'baet'.*profiles: beat.*did you mean beat"),
        (StackMarker(env={"wroker": {}}), "no service 'wroker'.*api, worker.*did you mean worker"),
        (StackMarker(limits={"wroker": Limits()}), "stack\\(limits=\\)"),
        (StackMarker(shared=("wroker",)), "stack\\(shared=\\)"),
        (StackMarker(env={"beat": {}}), "beat is not started in this stack.*the profile beat"),
    ],
)
def test_a_word_that_the_stack_does_not_know_is_an_error_with_those_it_knows(marker, told):
    with pytest.raises(ConfigError, match=f"(?s){told}"):
        check_words(marker, "shop", SERVICES, ["api", "worker"])


def test_words_that_the_stack_knows_are_accepted():
    marker = StackMarker(profiles=("beat",), env={"beat": {"A": "1"}}, shared=("api",))
    check_words(marker, "shop", SERVICES, SERVICES)


@pytest.mark.parametrize(
    "wish",
    [
        {"env": {"api": {"A": "1"}}},
        {"profiles": ("beat",)},
        {"limits": {"api": Limits(1)}},
        {"shared": ("api",)},
    ],
)
def test_a_shared_stack_can_honour_no_wish(wish):
    with pytest.raises(ConfigError, match=f"can't honour {next(iter(wish))}"):
        refuse_wishes(StackMarker(**wish), "it is shared")


def test_a_shared_stack_shares_no_server_so_that_may_be_asked_for():
    refuse_wishes(StackMarker(shared=()), "it is shared")


@pytest.mark.parametrize(
    ("marked", "said", "default", "configured", "isolation"),
    [
        (True, None, "shared", "shared", "test"),
        (True, None, None, "shared", "test"),
        (True, None, "shared", "module", "test"),
        (True, None, "module", "test", "module"),
        (True, "shared", "test", "test", "shared"),
        (False, None, "shared", "test", "shared"),
        (False, None, None, "shared", "shared"),
        (False, "test", "shared", "shared", "test"),
    ],
)
def test_a_marker_alone_never_means_a_shared_stack(marked, said, default, configured, isolation):
    wish = Wish(StackMarker() if marked else None, None, said, default)
    assert wish.isolation_in(configured) == isolation
