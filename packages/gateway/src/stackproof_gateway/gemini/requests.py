"""Gemini's generateContent: what the provider refuses, and what is asked for.

Source: Gemini API reference, "GenerateContent". Texts of refusals are those that users of the API
report; those about candidates, stop sequences, log probabilities
and schemas without JSON are not confirmed by any.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.contents import (
    broken,
    check_contents,
    check_parts,
    conversation,
    invalid,
    text_of,
    tokens_of,
)
from stackproof_gateway.gemini.fields import MESSAGES, read
from stackproof_gateway.gemini.files import check_files
from stackproof_gateway.gemini.schemas import check_schema, json_schema
from stackproof_gateway.gemini.thinking import check_signatures, reasoning_of
from stackproof_gateway.gemini.tools import forced_function, functions_of, names_of
from stackproof_gateway.prompt import Prompt

KNOWN_FIELDS = frozenset(
    field.split(":")[0] for field in MESSAGES["GenerateContentRequest"].split()
)
STREAMED = ":streamGenerateContent"
MOST_CANDIDATES = 8
MOST_LOGPROBS = 20
MOST_STOPS = 5
JSON = "application/json"
KINDS = ("text/plain", JSON, "application/xml", "application/yaml", "text/x.enum")
_WHERE = "GenerateContentRequest.generation_config"


def read_generation(call: Call, body: dict[str, Any]) -> Prompt:
    """What a request asks for.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    asked = read("GenerateContentRequest", body)
    config = (asked.get("generationConfig") or {}).get("thinkingConfig") or {}
    prompt = read_prompt(call, asked)
    check_files(call, asked["contents"])
    _check_kept(asked)
    check_signatures(asked["contents"], call.rules)
    if prompt.tools and prompt.wants_json and not call.rules.tools_with_json:
        raise invalid(f"Function calling with a response mime type: '{JSON}' is unsupported")
    context = call.rules.context
    if context is not None and prompt.tokens > context:
        raise invalid(f"The input token count ({prompt.tokens}) exceeds the maximum number of "
                      f"tokens allowed ({context}).")  # fmt: skip
    return replace(prompt, reasoning=reasoning_of(config, call.rules))


def read_prompt(call: Call, asked: dict[str, Any]) -> Prompt:
    """The same of a request whose fields are read already.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    contents = asked.setdefault("contents", [])
    check_contents(contents)
    system = asked.get("systemInstruction")
    check_parts(system or {}, "GenerateContentRequest.system_instruction")
    functions = functions_of(asked)
    config = asked.get("generationConfig") or {}
    _check_config(config)
    said = [text_of(content) for content in contents if content.get("role") != "model"]
    return Prompt(
        model=call.entry.model,
        path=call.entry.path,
        asked=next((text for text in reversed(said) if text), ""),
        tokens=tokens_of([*([system] if system else []), *contents]),
        tools=functions,
        forced=forced_function(asked, functions),
        schema=_schema(config),
        unquoted=config.get("responseMimeType") == "text/x.enum",
        wants_json=config.get("responseMimeType") == JSON,
        stop=tuple(config.get("stopSequences") or ()),
        bound=config.get("maxOutputTokens"),
        choices=config.get("candidateCount", 1),
        stream=call.entry.path.endswith(STREAMED),
        body=asked,
        spoken=lambda: list(conversation(asked)),
        offered=names_of(asked),
    )


def _check_kept(asked: dict[str, Any]) -> None:
    """Refuse what names things that a client can keep at the provider, and not here."""
    if asked.get("cachedContent"):
        raise ProviderError(403, "CachedContent not found (or permission denied)")
    for tool in asked.get("tools") or ():
        if "fileSearch" in tool:
            raise ProviderError(403, "You do not have permission to access the FileSearchStore or "
                                "it may not exist: this gateway keeps none.")  # fmt: skip


def _check_config(config: dict[str, Any]) -> None:
    for name, label, highest in (("temperature", "temperature", 2), ("topP", "top_p", 1)):
        value = config.get(name)
        if value is not None and not 0 <= value <= highest:
            raise broken(f"{_WHERE}.{label}", f"{label} must be in the range [0.0, {highest}.0].")
    if config.get("maxOutputTokens", 1) < 1:
        raise broken(f"{_WHERE}.max_output_tokens", "max_output_tokens must be positive.")
    if not 1 <= config.get("candidateCount", 1) <= MOST_CANDIDATES:
        raise broken(f"{_WHERE}.candidate_count", "candidate_count must be in the range "
                     f"[1, {MOST_CANDIDATES}].")  # fmt: skip
    stops = config.get("stopSequences") or ()
    if len(stops) > MOST_STOPS:
        raise broken(f"{_WHERE}.stop_sequences", f"at most {MOST_STOPS} stop sequences are allowed")
    if config.get("logprobs") is not None and not config.get("responseLogprobs"):
        raise broken(f"{_WHERE}.logprobs", "only allowed if response_logprobs is true")
    if not 0 <= config.get("logprobs", 0) <= MOST_LOGPROBS:
        raise broken(f"{_WHERE}.logprobs", f"logprobs must be in the range [0, {MOST_LOGPROBS}].")
    wanted = [word for word in config.get("responseModalities") or () if word.upper() != "TEXT"]
    if wanted or config.get("speechConfig") is not None:
        raise invalid("Model does not support the requested response modalities: "
                      f"{', '.join(wanted).lower()[:64] or 'audio'}")  # fmt: skip
    kind = config.get("responseMimeType")
    if kind and kind not in KINDS:
        raise broken(
            f"{_WHERE}.response_mime_type",
            "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, "
            "`application/yaml` and `text/x.enum`.",
        )


def _schema(config: dict[str, Any]) -> Any:
    """The JSON schema that the answer must fit; None without one."""
    given = config.get("responseSchema")
    other = config.get("responseJsonSchema", config.get("_responseJsonSchema"))
    kind = config.get("responseMimeType", "text/plain")
    if given is None and other is None:
        return None
    if given is not None and other is not None:
        raise invalid("response_schema and response_json_schema must not both be set.")
    if kind not in (JSON, "text/x.enum"):
        raise invalid(f"Response schema with a response mime type: '{kind}' is unsupported")
    if given is None:
        return other
    check_schema(given, f"{_WHERE}.response_schema")
    return json_schema(given)
