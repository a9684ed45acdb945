"""Anthropic's cache of prompts: what a request reads and writes, from the namespace's history.

Rules are those of the provider's guide, refusals those that users of the API report.
"""

import pytest
from packages.gateway.tests.rig import events_of

SHORT, LONG = {"type": "ephemeral"}, {"type": "ephemeral", "ttl": "1h"}
TOOL = {"name": "weather", "input_schema": {"type": "object"}}


def words(count, word="w"):
    return " ".join(f"{word}{at}" for at in range(count))


def text(content, control=None):
    return {"type": "text", "text": content, **({"cache_control": control} if control else {})}


@pytest.fixture
def ask(ask_message):
    """A request for a message that holds some blocks."""

    def send(*content, **fields):
        return ask_message({"role": "user", "content": content}, **fields)

    return send


def counts(answer):
    """Tokens that are read, written for 5 minutes and for an hour, and sent without a cache."""
    assert answer.status_code == 200, answer.text
    usage = answer.json()["usage"]
    creation = usage["cache_creation"]
    five, hour = creation["ephemeral_5m_input_tokens"], creation["ephemeral_1h_input_tokens"]
    assert usage["cache_creation_input_tokens"] == five + hour
    return usage["cache_read_input_tokens"], five, hour, usage["input_tokens"]


SYSTEM = [text(words(1200), SHORT)]


def test_the_first_request_writes_what_the_next_one_reads(ask):
    assert counts(ask(text("one"), system=SYSTEM)) == (0, 1200, 0, 1)
    assert counts(ask(text("two more"), system=SYSTEM)) == (1200, 0, 0, 2)


def test_a_request_without_breakpoints_has_no_cache(ask):
    ask(text("one"), system=SYSTEM)
    assert counts(ask(text("one"), system=[text(words(1200))])) == (0, 0, 0, 1201)


def test_a_conversation_reads_up_to_its_last_breakpoint_and_writes_the_rest(ask):
    first, second = text(words(1100), SHORT), text(words(50, "x"), SHORT)
    assert counts(ask(first)) == (0, 1100, 0, 0)
    assert counts(ask(first, second, text("end"))) == (1100, 50, 0, 1)
    assert counts(ask(text(words(1100)), text(words(50, "x"), SHORT))) == (1150, 0, 0, 0)


def test_an_hour_is_counted_apart_and_outlasts_five_minutes(ask, gateway):
    parts = [text(words(1100), LONG), text(words(200, "x"), SHORT)]
    assert counts(ask(*parts)) == (0, 200, 1100, 0)
    gateway.advance_clock(600)
    assert counts(ask(*parts)) == (1100, 200, 0, 0)
    gateway.advance_clock(4000)
    assert counts(ask(*parts)) == (0, 200, 1100, 0)


def test_who_reads_keeps_it_for_longer(ask, gateway):
    for _ in range(3):
        ask(text("one"), system=SYSTEM)
        gateway.advance_clock(200)
    assert counts(ask(text("one"), system=SYSTEM))[0] == 1200


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "other"}, {"system": [text(words(1201), SHORT)]}, {"tools": [TOOL]},
    ],
)  # fmt: skip
def test_another_model_system_or_tool_reads_nothing(ask, changed):
    ask(text("one"), system=SYSTEM)
    assert counts(ask(text("one"), **{"system": SYSTEM, **changed}))[0] == 0


def test_another_choice_of_tools_keeps_what_stands_before_the_messages(ask):
    fields = {"system": SYSTEM, "tools": [{**TOOL, "description": "x"}]}
    written = counts(ask(text("one", SHORT), **fields))[1]
    assert counts(ask(text("one", SHORT), **fields))[0] == written
    changed = counts(ask(text("one", SHORT), **fields, tool_choice={"type": "none"}))
    assert changed[:2] == (written - 1, 1)


def test_what_is_too_short_is_not_written(ask):
    for _ in range(2):
        assert counts(ask(text("one"), system=[text(words(1023), SHORT)])) == (0, 0, 0, 1024)


def test_a_breakpoint_looks_back_twenty_blocks(ask):
    ask(text(words(1100), SHORT))
    for more, read in ((20, 1100), (21, 0)):
        further = [text(f"{more}-{at}") for at in range(more - 1)]
        assert counts(ask(text(words(1100)), *further, text("end", SHORT)))[0] == read


def test_cache_control_of_the_whole_request_is_a_breakpoint_at_its_end(ask):
    assert counts(ask(text(words(1100)), cache_control=SHORT)) == (0, 1100, 0, 0)
    assert counts(ask(text(words(1100)), text("x"), cache_control=SHORT)) == (1100, 1, 0, 0)


def test_a_call_that_fails_writes_nothing(ask):
    assert ask(text("one"), system=SYSTEM, model="m-fail-once-x").status_code == 500
    assert counts(ask(text("one"), system=SYSTEM, model="m-fail-once-x"))[0] == 0


def test_each_namespace_has_a_cache_of_its_own(ask, gateway):
    ask(text("one"), system=SYSTEM)
    gateway.reset()
    assert counts(ask(text("one"), system=SYSTEM))[0] == 0


@pytest.mark.parametrize(
    ("usage", "seen"),
    [
        ({"prompt_tokens": 100, "cached_tokens": 60, "cache_write_tokens": 30,
          "cache_write_1h_tokens": 10}, (60, 20, 10, 10)),
        ({"input_tokens": 5, "cached_tokens": 7}, (7, 0, 0, 5)),
    ],
)  # fmt: skip
def test_a_script_says_other_counts(ask, gateway, usage, seen):
    gateway.when().reply("yes", usage=usage)
    assert counts(ask(text("one"))) == seen


def test_a_stream_and_the_journal_tell_the_counts(ask, gateway):
    answer = ask(text("one"), system=SYSTEM, stream=True)
    events = events_of(answer)
    begun, end = events[0]["message"]["usage"], events[-2]["usage"]
    assert begun["cache_creation"]["ephemeral_5m_input_tokens"] == 1200
    assert end["cache_creation_input_tokens"] == 1200
    noted = gateway.requests()[-1].usage
    assert (noted["prompt_tokens"], noted["cache_write_tokens"]) == (1201, 1200)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"system": [text(str(at), SHORT) for at in range(5)]},
         "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        ({"system": [text("x", SHORT)] * 4, "cache_control": SHORT},
         "A maximum of 4 blocks with cache_control may be provided. Found 5."),
        ({"tools": [{**TOOL, "cache_control": SHORT}], "system": [text("x", LONG)]},
         "system.0.cache_control.ttl: a ttl='1h' cache_control block must not come after a"),
        ({"system": [text("x", {"type": "lasting"})]}, "system.0.cache_control.type: Input should"),
        ({"system": [text("x", {**SHORT, "ttl": "2h"})]}, "system.0.cache_control.ephemeral.ttl: "),
        ({"messages": [{"role": "user", "content": [text("x", LONG)]}], "cache_control": SHORT},
         "Top-level cache_control has ttl='5m' but the target block already has cache_control"),
    ],
)  # fmt: skip
def test_breakpoints_that_the_provider_refuses_are_refused(ask, fields, problem):
    answer = ask(text("one"), **fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)


def test_tools_and_the_thoughts_of_the_turn_are_counted(gateway, http, ask):
    def counted(*messages, **fields):
        body = {"model": "m", "messages": messages, **fields}
        return http.post(f"{gateway.openai_base_url}/messages/count_tokens", json=body,
                         headers={"x-api-key": "sk-any"}).json()["input_tokens"]  # fmt: skip

    hello = {"role": "user", "content": "hello"}
    assert counted(hello) == 1
    assert counted(hello, tools=[TOOL]) > 1
    gateway.when().reply(reasoning="three more words", tool_calls=[{"name": "weather"}])
    said = ask(text("hello"), max_tokens=2000, tools=[TOOL],
               thinking={"type": "adaptive"}).json()["content"]  # fmt: skip
    result = {"type": "tool_result", "tool_use_id": said[1]["id"], "content": "21 degrees"}
    loop = [hello, {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    without = [hello, {"role": "assistant", "content": said[1:]}, loop[2]]
    assert counted(*loop) == counted(*without) + 3
    assert counted(*loop, hello) == counted(*without, hello)
