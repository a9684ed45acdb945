"""What Gemini refuses, with its text, status and details."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.contents import check_contents
from stackproof_gateway.gemini.fields import read
from stackproof_gateway.gemini.schemas import check_schema, json_schema
from stackproof_gateway.gemini.tools import forced_function, functions_of

MODEL = "gemini-2.5-flash"
PACKAGE = "type.googleapis.com/google.ai.generativelanguage.v1beta."
CALL = {"functionCall": {"name": "f", "args": {}}}
RESULT = {"functionResponse": {"name": "f", "response": {}}}
WORD = {"text": "x"}


@pytest.fixture
def refusal(gateway, http):
    def refused(body, method="generateContent", model=MODEL):
        url = f"{gateway.gemini_base_url}/v1beta/models/{model}:{method}"
        response = http.post(url, json=body, headers={"x-goog-api-key": "any"})
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (400, 400), error
        assert error["status"] == "INVALID_ARGUMENT"
        return error

    return refused


def contents(*turns):
    return [{"role": role, "parts": list(parts)} for role, *parts in turns]


def test_fields_that_there_are_not_are_refused_all_at_once_with_their_places(refusal):
    error = refusal({"contents": [], "foo": 1, "generationConfig": {"max_tokens": 3}})
    assert error["message"] == (
        'Invalid JSON payload received. Unknown name "foo": Cannot find field.\n'
        "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generation_config': "
        "Cannot find field."
    )
    (detail,) = error["details"]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][1]["field"] == "generation_config"


def test_a_schema_with_fields_of_json_schema_alone_is_refused(refusal):
    schema = {"type": "object", "additionalProperties": False, "properties": {"a": {"$ref": "#"}}}
    text = refusal({"contents": [], "generationConfig": {"responseSchema": schema}})["message"]
    assert "Unknown name \"additionalProperties\" at 'generation_config.response_schema'" in text
    assert "at 'generation_config.response_schema.properties[0].value'" in text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"contents": ["hi"]}, ("Invalid value at 'contents[0]' (type.googleapis.com/google.ai."
         'generativelanguage.v1beta.Content), "hi"')),
        ({"generationConfig": {"temperature": "hot"}},
         "Invalid value at 'generation_config.temperature' (TYPE_FLOAT), \"hot\""),
        ({"generationConfig": {"maxOutputTokens": 1.5}},
         "Invalid value at 'generation_config.max_output_tokens' (TYPE_INT32), 1.5"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
         ("Invalid value at 'tool_config.function_calling_config.mode' (type.googleapis.com/google."
         'ai.generativelanguage.v1beta.FunctionCallingConfig.Mode), "SOME"')),
        ({"systemInstruction": [WORD]}, ("Invalid JSON payload received. Unknown name "
         '"system_instruction": Proto field is not repeating, cannot start list.')),
    ],
    ids=["message", "float", "int", "enum", "list"],
)  # fmt: skip
def test_values_of_another_type_are_refused(refusal, body, text):
    assert refusal(body)["message"] == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "* GenerateContentRequest.contents: contents is not specified\n"),
        ([{"role": "user"}],
         "* GenerateContentRequest.contents[0].parts: contents.parts must not be empty.\n"),
        (contents(("user", {})), ("* GenerateContentRequest.contents[0].parts[0].data: required "
         "oneof field 'data' must have one initialized field\n")),
        (contents(("system", WORD)), "Please use a valid role: user, model."),
        (contents(("user", WORD), ("model", {"functionCall": {"args": {}}})),
         ("* GenerateContentRequest.contents[1].parts[0].function_call.name: Name cannot be "
         "empty.\n")),
    ],
    ids=["no contents", "no parts", "no data", "role", "name"],
)  # fmt: skip
def test_contents_that_say_nothing_are_refused(given, text):
    with pytest.raises(ProviderError) as caught:
        check_contents(given)
    assert caught.value.message == text


AFTER = "Please ensure that function response turn comes immediately after a function call turn."
BEFORE = (
    "Please ensure that function call turn comes immediately after a user turn or after a function "
    "response turn."
)
NUMBER = (
    "Please ensure that the number of function response parts is equal to the number of function "
    "call parts of the function call turn."
)


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        ([("user", RESULT)], AFTER),
        ([("model", CALL), ("user", RESULT)], BEFORE),
        ([("user", WORD), ("model", CALL), ("user", WORD)], NUMBER),
        ([("user", WORD), ("model", CALL, CALL), ("user", RESULT)], NUMBER),
        ([("user", WORD), ("model", CALL)], NUMBER),
    ],
    ids=["no call", "call first", "no result", "one result of two", "call last"],
)
def test_broken_histories_of_functions_are_refused(turns, text):
    with pytest.raises(ProviderError) as caught:
        check_contents(contents(*turns))
    assert caught.value.message == text


def test_a_result_with_the_id_of_no_call_is_refused():
    call = {"functionCall": {"name": "f", "id": "a"}}
    result = {"functionResponse": {"name": "f", "id": "b"}}
    with pytest.raises(ProviderError, match="id b does not match any function call"):
        check_contents(contents(("user", WORD), ("model", call), ("user", result)))


def test_whole_histories_are_taken_also_where_one_turn_is_in_several_contents():
    check_contents(contents(("user", WORD), ("model", CALL), ("model", CALL), ("user", RESULT),
                            ("function", RESULT), ("model", WORD)))  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "OBJECT", "properties": {}}, "properties: should be non-empty for OBJECT type"),
        ({"type": "ARRAY"}, "items: missing field."),
        ({"type": "INTEGER", "enum": ["1"]}, "enum: only allowed for STRING type"),
        ({"type": "STRING", "format": "uuid"},
         "format: only 'enum' and 'date-time' are supported for STRING type"),
        ({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["b"]},
         "required[0]: property is not defined"),
    ],
)  # fmt: skip
def test_schemas_outside_the_subset_are_refused(schema, text):
    for place, whole in (
        ("s", schema),
        ("s.items", {"type": "ARRAY", "items": schema}),
        ("s.any_of[0]", {"anyOf": [schema]}),
    ):
        with pytest.raises(ProviderError) as caught:
            check_schema(whole, "s")
        assert caught.value.message == f"* {place}.{text}\n"


def test_a_schema_becomes_one_of_json_schema():
    given = {"type": "OBJECT", "nullable": True, "propertyOrdering": ["b", "a"],
             "properties": {"a": {"type": "STRING", "format": "enum", "enum": ["x"]},
                            "b": {"anyOf": [{"type": "INTEGER", "example": 3}]}}}  # fmt: skip
    made = json_schema(given)
    assert made == {
        "type": ["object", "null"],
        "properties": {
            "b": {"anyOf": [{"type": "integer", "examples": [3]}]},
            "a": {"type": "string", "enum": ["x"]},
        },
    }
    assert list(made["properties"]) == ["b", "a"]


def declared(*names):
    return {"tools": [{"functionDeclarations": [{"name": name} for name in names]}]}


def test_functions_need_names_of_their_own():
    with pytest.raises(ProviderError, match=r"Invalid function name\. Must start with a letter"):
        functions_of(declared("1st"))
    with pytest.raises(ProviderError, match="Duplicate function declaration found: a"):
        functions_of(declared("a", "a"))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"allowedFunctionNames": ["a"]}, "should only be set when mode is ANY"),
        ({"mode": "ANY", "allowedFunctionNames": ["z"]}, "z is not in function_declarations"),
    ],
)
def test_only_functions_that_there_are_can_be_forced(config, text):
    body = {**declared("a"), "toolConfig": {"functionCallingConfig": config}}
    with pytest.raises(ProviderError, match=text):
        forced_function(body, functions_of(body))


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"temperature": 3}, "temperature must be in the range [0.0, 2.0]."),
        ({"topP": -1}, "top_p must be in the range [0.0, 1.0]."),
        ({"maxOutputTokens": 0}, "max_output_tokens must be positive."),
        ({"candidateCount": 9}, "candidate_count must be in the range [1, 8]."),
        ({"stopSequences": list("abcdef")}, "at most 5 stop sequences are allowed"),
        ({"logprobs": 2}, "only allowed if response_logprobs is true"),
        ({"logprobs": 21, "responseLogprobs": True}, "must be in the range [0, 20]."),
        ({"responseModalities": ["TEXT", "IMAGE"]}, "requested response modalities: image"),
        ({"responseMimeType": "text/html"}, "allowed mimetypes are `text/plain`"),
        ({"responseSchema": {"type": "STRING"}}, "mime type: 'text/plain' is unsupported"),
    ],
)
def test_settings_out_of_their_range_are_refused(refusal, config, text):
    asked = {"contents": contents(("user", WORD)), "generationConfig": config}
    assert text in refusal(asked)["message"]


def test_older_models_have_no_functions_beside_json(refusal, gateway, http):
    config = {"responseMimeType": "application/json"}
    asked = {"contents": contents(("user", WORD)), "generationConfig": config, **declared("a")}
    assert refusal(asked)["message"] == (
        "Function calling with a response mime type: 'application/json' is unsupported"
    )
    url = f"{gateway.gemini_base_url}/v1beta/models/gemini-3-flash-preview:generateContent"
    assert http.post(url, json=asked, headers={"x-goog-api-key": "any"}).status_code == 200


@pytest.mark.parametrize(
    "named", [{"cachedContent": "cachedContents/x"}, {"tools": [{"fileSearch": {}}]}]
)
def test_what_only_the_provider_keeps_is_refused(gateway, http, named):
    url = f"{gateway.gemini_base_url}/v1beta/models/{MODEL}:generateContent"
    asked = {"contents": contents(("user", WORD)), **named}
    error = http.post(url, json=asked, headers={"x-goog-api-key": "any"}).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")


def test_embeddings_need_a_text_and_no_more_numbers_than_the_model_has(refusal):
    model = "gemini-embedding-001"
    text = refusal({}, "embedContent", model)["message"]
    assert text == "* EmbedContentRequest.content: contents is not specified\n"
    asked = {"content": {"parts": [WORD]}, "outputDimensionality": 5000}
    assert "in the range [1, 3072]" in refusal(asked, "embedContent", model)["message"]
    content = {"content": {"parts": [WORD]}}
    for requests, problem in (([], "not specified"), ([content] * 101, "at most 100 requests")):
        refused = refusal({"requests": requests}, "batchEmbedContents", model)
        assert problem in refused["message"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["contents", "parts", "text", "role", "functionCall", "function_response", "name",
             "tools", "functionDeclarations", "parameters", "type", "properties",
             "generationConfig", "responseSchema", "toolConfig", "systemInstruction", "x"]),
        inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["contents", "tools", "generationConfig", "y"]), JSON))
def test_whatever_a_request_holds_it_is_read_or_refused(body):
    with contextlib.suppress(ProviderError):
        found = read("GenerateContentRequest", body)
        check_contents(found.get("contents") or [])
        forced_function(found, functions_of(found))
