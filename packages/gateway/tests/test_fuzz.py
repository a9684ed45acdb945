"""Random bodies, far more than property tests can try: no status 500, in no mode.

STACKPROOF_FUZZ=1000000 tries a million; every batch has a seed of its own, which a failure names.
"""

import json
import os
import random
from decimal import Decimal

import pytest
from packages.gateway.tests.bare_app import App
from packages.gateway.tests.test_robustness import CONTROL, FIELDS, GOOD, PATHS

EXAMPLES = int(os.environ.get("STACKPROOF_FUZZ", "3000"))
BATCH = 300
FIRST_SEED = int(os.environ.get("STACKPROOF_FUZZ_SEED", "0"))
WORDS = (
    "", "user", "assistant", "system", "tool", "function", "message", "json", "auto", "required",
    "none", "object", "array", "string", "$ref", "#", "text", "image_url", "input_text", "any",
    "file-00000001", "vs_00000001", "and", "eq", "json_schema", "base64", "float", "\ud800", "é",
    "m-cut-x", "m-eof-x", "gpt-4o-mini", "x" * 200, "sk-e2e-x", "call_1", "function_call_output",
    "tool_result", "tool_use", "static", "priority", "web_search", "0", "^[a-z]+$", "(",
)  # fmt: skip
NAMES = (
    "role content type text name function parameters schema properties required items anyOf enum "
    "pattern minItems format json_schema strict tool_calls id input output call_id key value "
    "filters file_id arguments tool_call_id tool_use_id input_schema source url include_usage $defs"
).split()
NUMBERS = (0, 1, -1, 2, 3, 0.5, -0.5, 10**9, 2**63, 10**400, 1e308, 128, 4096)
MODES = {
    "fake": {},
    "replay": {"llm": "replay"},
    "live": {"llm": "live", "budget_usd": Decimal(0), "openai_key": "x", "anthropic_key": "x"},
}
EXPECTED = {
    "fake": (200, 400, 401, 404, 405, 413),
    "replay": (404,),
    "live": (429,),
}


def anything(chance, depth=4):
    """A random JSON value."""
    kind = chance.random()
    if depth == 0 or kind < 0.45:
        return chance.choice((
            None, True, False, [], {}, chance.choice(NUMBERS), chance.choice(WORDS),
            chance.choice(WORDS), chance.randint(-5, 50),
        ))  # fmt: skip
    if kind < 0.7:
        return [anything(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice(NAMES): anything(chance, depth - 1) for _ in range(chance.randint(0, 4))}


def random_body(chance):
    """Bytes: a plausible request with random parts, a random value, or no JSON at all."""
    kind = chance.random()
    if kind < 0.05:
        return chance.randbytes(chance.randint(0, 200))
    if kind < 0.15:
        return json.dumps(anything(chance)).encode()
    body = dict(GOOD) if kind < 0.8 else {}
    for _ in range(chance.randint(0, 5)):
        body[chance.choice(FIELDS)] = anything(chance)
    data = json.dumps(body).encode()
    if kind > 0.95 and data:
        at = chance.randrange(len(data))
        return data[:at] + chance.randbytes(1) + data[at + 1 :]
    return data


def send_batch(app, seed, expected):
    chance = random.Random(seed)
    for number in range(BATCH):
        path, data = chance.choice(PATHS), random_body(chance)
        if chance.random() < 0.05:
            path = f"/_gateway/t/fuzzed/{chance.choice(CONTROL)}"
        headers = {"anthropic-version": "2023-06-01"} if chance.random() < 0.3 else {}
        status, answer = app.post(path, data, headers)
        known = (200, 400) if path.startswith("/_gateway") else expected
        assert status in known, f"seed {seed}, number {number}: {path} {data!r}: {answer!r}"
        if status >= 400:
            assert json.loads(answer)["error"]


@pytest.mark.parametrize("mode", MODES)
def test_random_bodies_are_answered_or_refused(mode, tmp_path):
    share = {"fake": 0.8, "replay": 0.1, "live": 0.1}[mode]
    app = None
    for batch in range(max(1, round(EXAMPLES * share / BATCH))):
        if batch % 150 == 0:  # what a namespace keeps would slow down what is tried later
            if app is not None:
                app.runner.close()
            app = App(cassettes=tmp_path, ledger=tmp_path / "ledger.json", **MODES[mode])
        send_batch(app, f"{mode}-{FIRST_SEED + batch}", EXPECTED[mode])
    app.runner.close()


GEMINIS = (
    "generateContent", "streamGenerateContent", "streamGenerateContent?", "countTokens",
    "embedContent", "batchEmbedContents",
)  # fmt: skip
GEMINI_NAMES = (
    "contents parts role text functionCall functionResponse function_call name args response id "
    "tools functionDeclarations parameters parametersJsonSchema toolConfig functionCallingConfig "
    "mode allowedFunctionNames generationConfig responseSchema responseJsonSchema type properties "
    "required items enum anyOf format nullable responseMimeType stopSequences candidateCount "
    "maxOutputTokens temperature thinkingConfig thinkingBudget thinkingLevel includeThoughts "
    "thoughtSignature thought systemInstruction fileData fileUri inlineData content requests "
    "outputDimensionality generateContentRequest propertyOrdering example x"
).split()
GEMINI_WORDS = (
    "user", "model", "function", "f", "ANY", "OBJECT", "STRING", "ARRAY", "LOW", "application/json",
    "text/x.enum", "files/f-00000001", "hello", "", "date-time", "\ud800",
)  # fmt: skip


def of_gemini(chance, depth=5):
    """A random value with the names and words of Gemini's API."""
    kind = chance.random()
    if depth == 0 or kind < 0.35:
        return chance.choice((
            None, True, [], {}, chance.choice(NUMBERS), *chance.choices(GEMINI_WORDS, k=6),
        ))  # fmt: skip
    if kind < 0.55:
        return [of_gemini(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    names = chance.choices(GEMINI_NAMES, k=chance.randint(0, 4))
    return {name: of_gemini(chance, depth - 1) for name in names}


def gemini_body(chance):
    """A plausible request with random parts in it."""
    part = chance.choice(({"text": "x"}, {"functionCall": {"name": "f"}}, of_gemini(chance)))
    body = {"contents": [{"role": "user", "parts": [{"text": "x"}]}, {"parts": [part]}]}
    for name in chance.choices(GEMINI_NAMES, k=chance.randint(0, 3)):
        body[name] = of_gemini(chance)
    config = chance.choices(GEMINI_NAMES, k=2)
    body["generationConfig"] = {name: of_gemini(chance, 3) for name in config}
    return json.dumps(body if chance.random() < 0.8 else of_gemini(chance)).encode()


def test_random_requests_to_gemini_are_answered_or_refused():
    app = App()
    chance = random.Random(f"gemini-{FIRST_SEED}")
    for number in range(EXAMPLES // 3):
        model = chance.choice(("gemini-2.5-flash", "gemini-3-flash-preview", "house"))
        path, data = f"/v1beta/models/{model}:{chance.choice(GEMINIS)}", gemini_body(chance)
        status, answer = app.post(path.rstrip("?"), data, {"x-goog-api-key": "any"})
        assert status in (200, 400, 403), f"number {number}: {path} {data!r}: {answer!r}"
    app.runner.close()
