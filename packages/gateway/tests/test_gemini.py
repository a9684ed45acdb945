"""Gemini's dialect: answers, streams, tools, schemas, models, tokens and embeddings."""

import json

import pytest

MODEL = "gemini-2.0-flash"
"""One that does not think."""
CITY = {
    "type": "OBJECT",
    "properties": {"city": {"type": "STRING", "enum": ["Oslo"]}},
    "required": ["city"],
}
BOOK = {"functionDeclarations": [{"name": "book", "description": "Books", "parameters": CITY}]}


@pytest.fixture
def ask(gateway, http):
    """Asks a method of a model; gives back what it answers."""

    def asked(body, method="generateContent", *, model=MODEL, version="v1beta", **query):
        url = f"{gateway.gemini_base_url}/{version}/models/{model}:{method}"
        return http.post(url, json=body, params=query, headers={"x-goog-api-key": "any"})

    return asked


def said(text="hello", **fields):
    return {"contents": [{"role": "user", "parts": [{"text": text}]}], **fields}


def text_of(answer):
    parts = answer["candidates"][0]["content"]["parts"]
    return "".join(part["text"] for part in parts)


def events_of(response):
    lines = response.text.split("\r\n\r\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line]


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_an_answer_echoes_and_counts_its_tokens(ask, version):
    answer = ask(said("one two"), version=version).json()
    (candidate,) = answer["candidates"]
    assert candidate == {
        "content": {"parts": [{"text": "echo: one two"}], "role": "model"},
        "finishReason": "STOP",
        "index": 0,
    }
    assert answer["usageMetadata"] == {
        "promptTokenCount": 2,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 2}],
        "candidatesTokenCount": 3,
        "totalTokenCount": 5,
    }
    assert (answer["modelVersion"], answer["responseId"]) == (MODEL, "resp-00000001")


def test_a_stream_of_events_brings_the_same_and_says_why_it_ends_in_the_last(ask):
    response = ask(said("one two"), "streamGenerateContent", alt="sse")
    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response)
    assert "".join(map(text_of, events)) == "echo: one two"
    reasons = [event["candidates"][0].get("finishReason") for event in events]
    assert reasons == [None] * (len(events) - 1) + ["STOP"]
    assert events[-1]["usageMetadata"]["totalTokenCount"] == 5


def test_a_stream_without_events_is_one_list(ask):
    response = ask(said("one two"), "streamGenerateContent")
    assert response.headers["content-type"] == "application/json"
    assert "".join(map(text_of, response.json())) == "echo: one two"
    failed = ask({}, "streamGenerateContent").json()
    assert [error["error"]["code"] for error in failed] == [400]


def test_names_of_fields_may_be_in_snake_case(ask):
    config = {"max_output_tokens": 2, "stop_sequences": ["x"]}
    answer = ask(said("one two three", generation_config=config)).json()
    assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert text_of(answer) == "echo: one"


def test_stop_sequences_and_candidates_are_kept_to(ask):
    config = {"stopSequences": ["two"], "candidateCount": 2}
    answer = ask(said("one two", generationConfig=config)).json()
    assert [candidate["index"] for candidate in answer["candidates"]] == [0, 1]
    assert text_of(answer) == "echo: one "


def test_a_function_is_called_only_if_it_must_be(ask):
    assert text_of(ask(said(tools=[BOOK])).json()) == "echo: hello"
    forced = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["book"]}}
    answer = ask(said(tools=[BOOK], toolConfig=forced)).json()
    (part,) = answer["candidates"][0]["content"]["parts"]
    call = {"name": "book", "args": {"city": "Oslo"}, "id": "call_00000002"}
    assert (part, answer["candidates"][0]["finishReason"]) == ({"functionCall": call}, "STOP")
    first, last = events_of(
        ask(said(tools=[BOOK], toolConfig=forced), "streamGenerateContent", alt="sse")
    )
    assert first["candidates"][0]["content"]["parts"][0]["functionCall"]["args"] == {"city": "Oslo"}
    assert last["candidates"][0]["finishReason"] == "STOP"


def test_scripts_see_the_conversation_the_system_instruction_and_the_tools(ask, gateway):
    gateway.when(tool_result="booked 7", tool="book", system="brief", turn=2).reply("done")
    call = {"functionCall": {"name": "book", "args": {}, "id": "a"}}
    result = {"functionResponse": {"name": "book", "id": "a", "response": {"result": "booked 7"}}}
    contents = [
        {"role": "user", "parts": [{"text": "book it"}]},
        {"role": "model", "parts": [call]},
        {"role": "user", "parts": [result]},
    ]
    system = {"parts": [{"text": "Be brief."}]}
    answer = ask({"contents": contents, "tools": [BOOK], "systemInstruction": system}).json()
    assert text_of(answer) == "done"
    gateway.assert_all_scripts_used()


def test_scripted_calls_come_in_parallel_with_ids(ask, gateway):
    gateway.when(text="both").reply(
        tool_calls=[{"name": "book", "arguments": {"city": c}} for c in ("Oslo", "Rome")]
    )
    parts = ask(said("both", tools=[BOOK])).json()["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["args"]["city"] for part in parts] == ["Oslo", "Rome"]
    assert len({part["functionCall"]["id"] for part in parts}) == 2


@pytest.mark.parametrize(
    "schema",
    [
        {"responseSchema": CITY},
        {"response_schema": {**CITY, "type": "object"}},
        {"responseJsonSchema": json.loads(json.dumps(CITY).lower().replace("oslo", "Oslo"))},
    ],
    ids=["OpenAPI", "snake case", "JSON schema"],
)
def test_an_answer_fits_its_schema(ask, schema):
    config = {"responseMimeType": "application/json", **schema}
    assert json.loads(text_of(ask(said(generationConfig=config)).json())) == {"city": "Oslo"}


def test_an_answer_of_an_enumeration_is_its_word(ask):
    words = {"type": "STRING", "enum": ["red", "blue"]}
    config = {"responseMimeType": "text/x.enum", "responseSchema": words}
    assert text_of(ask(said(generationConfig=config)).json()) == "red"


def test_log_probabilities_are_of_the_providers_form_also_in_a_stream(ask):
    config = {"responseLogprobs": True, "logprobs": 2}
    (plain,) = ask(said("one", generationConfig=config)).json()["candidates"]
    chosen = [entry["token"] for entry in plain["logprobsResult"]["chosenCandidates"]]
    assert chosen == ["echo:", " one"]
    top = plain["logprobsResult"]["topCandidates"][0]["candidates"]
    assert [entry["token"] for entry in top] == ["echo:", "echo:~1"]
    assert plain["avgLogprobs"] == top[0]["logProbability"] > top[1]["logProbability"]
    body = said("one", generationConfig=config)
    events = events_of(ask(body, "streamGenerateContent", alt="sse"))
    found = [event["candidates"][0].get("logprobsResult", {}) for event in events]
    assert [len(result.get("chosenCandidates", ())) for result in found] == [1, 1, 0]


def test_a_scripted_reason_is_told_in_geminis_words(ask, gateway):
    gateway.when(text="bad").reply("I", finish_reason="content_filter")
    gateway.when(text="again").reply("I", finish_reason="RECITATION")
    reasons = [ask(said(text)).json()["candidates"][0]["finishReason"] for text in ("bad", "again")]
    assert reasons == ["SAFETY", "RECITATION"]


def test_tokens_are_counted_as_in_the_answer(ask):
    counted = ask(said("one two"), "countTokens").json()
    assert counted["totalTokens"] == 2
    whole = {"generateContentRequest": {"model": f"models/{MODEL}", **said("one two three")}}
    assert ask(whole, "countTokens").json()["totalTokens"] == 3


def test_embeddings_are_those_that_the_other_dialects_give(ask, client):
    model = "gemini-embedding-001"
    content = {"parts": [{"text": "a red car"}]}
    one = ask({"content": content, "outputDimensionality": 256}, "embedContent", model=model).json()
    other = client.embeddings.create(
        model="m", input="a red car", dimensions=256, encoding_format="float"
    )
    assert one["embedding"]["values"] == pytest.approx(other.data[0].embedding)
    request = {"model": f"models/{model}", "content": content}
    several = ask({"requests": [request, request]}, "batchEmbedContents", model=model).json()
    assert [len(vector["values"]) for vector in several["embeddings"]] == [3072, 3072]


def test_models_are_googles_where_its_key_is_sent(gateway, http):
    base = gateway.gemini_base_url
    with_header = http.get(f"{base}/v1/models", headers={"x-goog-api-key": "any"}).json()
    with_query = http.get(f"{base}/v1/models/gemini-x", params={"key": "any"}).json()
    assert with_header["models"][0]["name"] == "models/gemini-2.5-flash"
    assert with_query["supportedGenerationMethods"] == ["generateContent", "countTokens"]
    bearer = {"authorization": "Bearer any"}
    assert http.get(f"{base}/v1/models", headers=bearer).json()["object"] == "list"
    assert "models" in http.get(f"{base}/v1beta/models", headers=bearer).json()


def test_a_key_is_needed_and_names_a_namespace_wherever_it_stands(server, http, gateway):
    url = f"{server}/v1beta/models/{MODEL}:generateContent"
    refused = http.post(url, json=said())
    assert (refused.status_code, refused.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    http.post(url, json=said(), params={"key": gateway.api_key})
    http.post(url, json=said(), headers={"x-goog-api-key": gateway.api_key})
    http.post(url, json=said(), headers={"authorization": f"Bearer {gateway.api_key}"})
    entries = gateway.requests(model=MODEL)
    assert [entry.path for entry in entries] == [f"/v1beta/models/{MODEL}:generateContent"] * 3
    assert gateway.api_key not in str(entries)


def test_faults_by_name_are_errors_of_google(ask, gateway):
    failed = ask(said(), model=f"{MODEL}-fail-once-http429-surface")
    error = failed.json()["error"]
    assert (failed.status_code, error["code"], error["status"]) == (429, 429, "RESOURCE_EXHAUSTED")
    (detail,) = error["details"]
    assert detail == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
    assert ask(said(), model=f"{MODEL}-fail-once-http429-surface").status_code == 200
    (entry,) = gateway.faults()
    assert entry.fault.kind == "fail-once-http429"


def test_a_stream_that_ends_early_says_no_reason(ask):
    events = events_of(ask(said(), "streamGenerateContent", model=f"{MODEL}-eof", alt="sse"))
    assert not any("finishReason" in event["candidates"][0] for event in events)


def test_an_error_in_mid_stream_is_googles(ask, gateway):
    gateway.when(text="break").reply("one two", error_after=1)
    *_, last = events_of(ask(said("break"), "streamGenerateContent", alt="sse"))
    assert last["error"]["status"] == "INTERNAL"
    *_, last = ask(said("break"), "streamGenerateContent").json()
    assert last["error"]["status"] == "INTERNAL"
