"""Anthropic's context management: nothing is edited, and an answer says so, or an error.

The texts of refusals were not compared with the provider's.
"""

import pytest

HELLO = {"role": "user", "content": "hello"}
EDIT = "context_management.edits.0.clear_tool_uses_20250919.trigger"
THOUGHT = {"type": "redacted_thinking", "data": "x"}


def edits(*given):
    return {"context_management": {"edits": list(given)}}


def at(kind, value, edit="clear_tool_uses_20250919"):
    return {"type": edit, "trigger": {"type": kind, "value": value}}


def used(*names):
    uses = [{"type": "tool_use", "id": name, "name": "f", "input": {}} for name in names]
    results = [{"type": "tool_result", "tool_use_id": name, "content": "x"} for name in names]
    return {"role": "assistant", "content": uses}, {"role": "user", "content": results}


def test_an_answer_says_that_no_edit_was_applied(ask_message):
    fields = edits(at("input_tokens", 50), at("tool_uses", 2), {"type": "compact_20260112"},
                   {"type": "clear_thinking_20251015", "keep": "all"})  # fmt: skip
    answer = ask_message(HELLO, *used("a", "b"), **fields)
    assert answer.json()["context_management"] == {"applied_edits": []}
    assert '"context_management":{"applied_edits":[]}' in ask_message(**fields, stream=True).text
    assert "context_management" not in ask_message().json()


@pytest.mark.parametrize(
    "fields",
    [
        edits(at("input_tokens", 1)),
        edits(at("tool_uses", 1)),
        edits(at("input_tokens", 1, "compact_20260112")),
        {"compaction": {"type": "summarize"}},
    ],
)
def test_an_edit_that_is_due_is_refused_unless_a_script_answers(gateway, ask_message, fields):
    history = [{"role": "user", "content": "hello again"}, *used("a", "b")]
    answer = ask_message(*history, **fields)
    assert answer.status_code == 400
    assert "Script the answer" in answer.json()["error"]["message"]
    gateway.when().reply("done")
    answer = ask_message(*history, **fields).json()
    assert answer["content"][0]["text"] == "done"
    assert "context_management" not in answer


def test_thoughts_of_older_turns_are_to_be_cleared_but_not_those_of_one_tool_loop():
    from stackproof_gateway.message_context import undone

    [asked, answered] = used("a")
    thinks = {"role": "assistant", "content": [THOUGHT, *asked["content"]]}
    edit = edits({"type": "clear_thinking_20251015"})
    loop = [HELLO, thinks, answered, thinks, answered]
    assert undone(edit, loop, 1) is None
    assert undone(edit, [*loop, HELLO, thinks], 1) is not None
    kept = {"type": "thinking_turns", "value": 2}
    more = edits({"type": "clear_thinking_20251015", "keep": kept})
    assert undone(more, [*loop, HELLO, thinks], 1) is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (7, "context_management: Input should be an object"),
        ({"edits": {}}, "context_management.edits: Input should be a valid list"),
        ({"edits": [{}]}, "context_management.edits.0.type: Field required"),
        ({"edits": [{"type": "dance"}]}, "context_management.edits.0: Input tag 'dance' found"),
        ({"edits": [at("turns", 1)]}, f"{EDIT}.type: Input should be 'input_tokens'"),
        ({"edits": [at("tool_uses", "x")]}, f"{EDIT}.value: Input should be a valid integer"),
    ],
)  # fmt: skip
def test_an_edit_without_a_proper_form_is_refused(ask_message, given, problem):
    answer = ask_message(context_management=given)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)
