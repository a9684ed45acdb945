"""Thinking of Gemini's models: parts, signatures, budgets and levels, and cached tokens."""

import base64
import json

import pytest

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.thinking import ANY_WORDS, check_signatures, reasoning_of
from stackproof_gateway.model_rules import NO_RULES, load_rules

TABLE = load_rules()
NEW = "gemini-3-flash-preview"
TOOL = {"functionDeclarations": [{"name": "book"}]}
FORCED = {"functionCallingConfig": {"mode": "ANY"}}


@pytest.fixture
def ask(gateway, http):
    def asked(contents, *, model="gemini-2.5-flash", stream=False, thinking=None, **fields):
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        url = f"{gateway.gemini_base_url}/v1beta/models/{model}:{method}"
        if isinstance(contents, str):
            contents = [user(contents)]
        body = {"contents": contents, "generationConfig": {"thinkingConfig": thinking or {}}}
        response = http.post(url, json={**body, **fields}, headers={"x-goog-api-key": "any"})
        if not stream:
            return response.json()
        return [json.loads(line[5:]) for line in response.text.split("\r\n") if line]

    return asked


def user(text):
    return {"role": "user", "parts": [{"text": text}]}


def parts_of(answer):
    return answer["candidates"][0]["content"]["parts"]


def test_a_model_thinks_and_hides_it_unless_the_request_says_otherwise(ask):
    hidden = ask("one two")
    assert [part["text"] for part in parts_of(hidden)] == ["echo: one two"]
    shown = ask("one two", thinking={"includeThoughts": True})
    first, second = parts_of(shown)
    assert first == {"text": "thinking of: one two", "thought": True}
    assert (second["text"], "thoughtSignature" in second) == ("echo: one two", True)
    for answer in (hidden, shown):
        usage = answer["usageMetadata"]
        counts = [usage[f"{name}TokenCount"] for name in ("prompt", "candidates", "thoughts")]
        assert (counts, usage["totalTokenCount"]) == ([2, 3, 4], 9)


def test_a_stream_brings_thoughts_first_and_the_signature_last(ask, gateway):
    gateway.when(text="hard").reply("done", reasoning="first this, then that")
    chunks = [parts_of(chunk)[0] for chunk in
              ask("hard", stream=True, thinking={"includeThoughts": True})]  # fmt: skip
    thoughts = [part["text"] for part in chunks if part.get("thought")]
    assert "".join(thoughts) == "first this, then that"
    assert [part["text"] for part in chunks[len(thoughts) :]] == ["done", ""]
    assert [part for part in chunks if "thoughtSignature" in part] == chunks[-1:]


def test_no_thoughts_where_there_is_no_budget_for_them_or_the_model_has_none(ask):
    for answer in (ask("x", thinking={"thinkingBudget": 0}), ask("x", model="gemini-2.0-flash")):
        assert parts_of(answer) == [{"text": "echo: x"}]
        assert "thoughtsTokenCount" not in answer["usageMetadata"]


def test_an_unknown_model_thinks_what_a_script_says(ask, gateway):
    gateway.when(text="hard").reply("done", reasoning="one two three")
    assert ask("hard", model="house")["usageMetadata"]["thoughtsTokenCount"] == 3
    assert "thoughtsTokenCount" not in ask("easy", model="house")["usageMetadata"]


PRO, FLASH, LITE = (TABLE.of(f"gemini-2.5-{name}") for name in ("pro", "flash", "flash-lite"))


THREE = TABLE.of("gemini-3-pro-preview")
ONLY_ON = "Budget 0 is invalid. This model only works in thinking mode."
BETWEEN = "The thinking budget {} is invalid. Please choose a value between {} and {}."
NO_LEVEL = "Thinking level is not supported for this model."
OTHER_LEVEL = (
    "Thinking level MINIMAL is not supported for this model. Please retry with other thinking "
    "level."
)
ONE_OF = "You can only set only one of thinking budget and thinking level."
NOTHING_SHOWN = "Thinking_config.include_thoughts is only enabled when thinking is enabled."


@pytest.mark.parametrize(
    ("rules", "config", "text"),
    [
        (PRO, {"thinkingBudget": 0}, ONLY_ON),
        (PRO, {"thinkingBudget": 40000}, BETWEEN.format(40000, 128, 32768)),
        (LITE, {"thinkingBudget": 5}, BETWEEN.format(5, 512, 24576)),
        (FLASH, {"thinkingLevel": "LOW"}, NO_LEVEL),
        (THREE, {"thinkingLevel": "MINIMAL"}, OTHER_LEVEL),
        (NO_RULES, {"thinkingLevel": "LOW", "thinkingBudget": 1}, ONE_OF),
        (FLASH, {"thinkingBudget": 0, "includeThoughts": True}, NOTHING_SHOWN),
    ],
)
def test_thinking_that_a_model_does_not_have_is_refused(rules, config, text):
    with pytest.raises(ProviderError) as caught:
        reasoning_of(config, rules)
    assert caught.value.message == text


@pytest.mark.parametrize(
    ("rules", "config", "reasoning"),
    [
        (PRO, {"thinkingBudget": -1}, "hidden"),
        (FLASH, {"thinkingBudget": 0}, "none"),
        (LITE, {}, "none"),
        (LITE, {"thinkingBudget": 512, "includeThoughts": True}, "shown"),
        (NO_RULES, {}, "told"),
        (NO_RULES, {"includeThoughts": True}, "shown"),
        (NO_RULES, {"thinkingBudget": 0}, "none"),
    ],
)
def test_how_a_model_thinks(rules, config, reasoning):
    assert reasoning_of(config, rules) == reasoning


def test_a_signature_comes_back_with_the_call_or_the_step_is_refused(ask):
    asked = user("book it")
    answer = ask([asked], model=NEW, tools=[TOOL], toolConfig=FORCED)
    (call,) = parts_of(answer)
    result = {"functionResponse": {"name": "book", "response": {"result": "done"}}}
    history = [asked, {"role": "model", "parts": [call]}, {"role": "user", "parts": [result]}]
    assert "candidates" in ask(history, model=NEW, tools=[TOOL])
    unsigned = {"role": "model", "parts": [{"functionCall": call["functionCall"]}]}
    steps = [*history, unsigned, history[-1]]
    assert ", position 4." in ask(steps, model=NEW, tools=[TOOL])["error"]["message"]
    del call["thoughtSignature"]
    refused = ask(history, model=NEW, tools=[TOOL])["error"]
    assert refused["message"] == (
        "Function call is missing a thought_signature in functionCall parts. This is required for "
        "tools to work correctly, and missing thought_signature may lead to degraded model "
        "performance. Additional data, function call `default_api:book` , position 2. Please refer "
        "to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
    )
    assert "candidates" in ask(history, tools=[TOOL])
    later = [*history, {"role": "model", "parts": [{"text": "done"}]}, user("thanks")]
    assert "candidates" in ask(later, model=NEW, tools=[TOOL])


def test_only_the_first_of_parallel_calls_is_signed(ask, gateway):
    gateway.when(text="both").reply(tool_calls=[{"name": "book"}, {"name": "book"}])
    first, second = parts_of(ask("both", model=NEW, tools=[TOOL]))
    assert ("thoughtSignature" in first, "thoughtSignature" in second) == (True, False)


@pytest.mark.parametrize("word", [*ANY_WORDS, base64.b64encode(ANY_WORDS[1].encode()).decode()])
def test_the_words_of_the_guide_stand_for_a_signature(word):
    part = {"functionCall": {"name": "f"}, "thoughtSignature": word}
    check_signatures([user("x"), {"role": "model", "parts": [part]}], TABLE.of(NEW))


def test_a_changed_signature_is_refused_however_base64_is_written(ask):
    (part,) = parts_of(ask("ÿþÿ~~?>", thinking={"includeThoughts": True}))[1:]
    signature = part["thoughtSignature"]
    for written in (signature, signature.replace("+", "-").replace("/", "_").rstrip("=")):
        check_signatures([{"parts": [{"text": "x", "thoughtSignature": written}]}], NO_RULES)
    changed = ("B" if signature[0] == "A" else "A") + signature[1:]
    history = [user("x"), {"role": "model", "parts": [{"text": "y", "thoughtSignature": changed}]}]
    assert ask([*history, user("z")])["error"]["message"] == "Corrupted thought signature."


def test_a_prompt_that_was_sent_before_is_read_from_the_cache(ask):
    long = " ".join(f"w{number}" for number in range(1300))
    system = {"parts": [{"text": long}]}
    first, second, other = (
        ask(text, systemInstruction=given)["usageMetadata"]
        for text, given in (("a", system), ("b", system), ("b", {"parts": [{"text": long[::-1]}]}))
    )
    assert "cachedContentTokenCount" not in first
    assert second["cachedContentTokenCount"] == 1280
    assert second["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": 1280}]
    assert "cachedContentTokenCount" not in other


def test_counts_can_be_scripted(ask, gateway):
    gateway.when(text="x").reply(
        "y", usage={"prompt_tokens": 10, "completion_tokens": 7, "reasoning_tokens": 4,
                    "cached_tokens": 3},
    )  # fmt: skip
    usage = ask("x")["usageMetadata"]
    names = ("prompt", "cachedContent", "candidates", "thoughts", "total")
    assert [usage[f"{name}TokenCount"] for name in names] == [10, 3, 3, 4, 17]


def test_more_than_the_context_is_refused(ask):
    asked = [user("w " * 1_048_577)]
    assert ask(asked)["error"]["message"] == (
        "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
    )
