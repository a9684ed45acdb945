"""What Anthropic refuses of a request for a message, beside its messages, tools and thinking.

Source: Anthropic API reference and its SDK 2.14. Users of the API report the texts on schemas, on
models and on the whitespace at the end; the others are in the form of such reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.message_errors import excluded, none_of, refused
from stackproof_gateway.message_turns import Message, blocks_of
from stackproof_gateway.model_rules import Rules
from stackproof_gateway.requests import LARGEST_COUNT

_WORDS = {
    "service_tier": ("auto", "standard_only"),
    "output_config.effort": ("low", "medium", "high", "xhigh", "max"),
    "output_config.format.type": ("json_schema",),
    "output_format.type": ("json_schema",),
}
"""Fields that are one of some words."""
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "stream": (bool, "boolean"), "stop_sequences": (list, "list"), "tools": (list, "list"),
    "tool_choice": (dict, "dictionary"), "metadata": (dict, "dictionary"),
    "thinking": (dict, "dictionary"), "output_config": (dict, "dictionary"),
    "output_format": (dict, "dictionary"), "output_config.format": (dict, "dictionary"),
    "system": ((str, list), "string or list"), "metadata.user_id": (str, "string"),
}  # fmt: skip
_NO_SCHEMAS = ("const", "default", "enum", "examples", "required")


def read_bound(body: dict[str, Any]) -> int:
    """The most tokens of the answer.

    Raises:
        ProviderError: If it is no number from 1 on.
    """
    bound = body.get("max_tokens")
    if bound is None:
        raise refused("max_tokens", "Field required")
    if isinstance(bound, bool) or not isinstance(bound, int):
        raise refused("max_tokens", "Input should be a valid integer")
    if not 1 <= bound <= LARGEST_COUNT:
        raise refused("max_tokens", "Input should be greater than or equal to 1")
    return bound


def check_fields(body: dict[str, Any]) -> None:
    """Refuse fields of another type or out of range.

    Raises:
        ProviderError: With the provider's text.
    """
    for param, (kind, wanted) in _KINDS.items():
        value = _at(body, param)
        if value is not None and not isinstance(value, kind):
            raise refused(param, f"Input should be a valid {wanted}")
    for param, words in _WORDS.items():
        value = _at(body, param)
        if value is not None and value not in words:
            raise none_of(param, words)
    for name in ("temperature", "top_p"):
        _check_number(body.get(name), name, 1)
    _check_number(body.get("top_k"), "top_k", LARGEST_COUNT)
    _check_texts(body)


def _check_texts(body: dict[str, Any]) -> None:
    for word in body.get("stop_sequences") or ():
        if not isinstance(word, str):
            raise refused("stop_sequences", "Input should be a list of strings")
        if not word.strip():
            raise refused("stop_sequences", "each stop sequence must contain non-whitespace")
    system = body.get("system")
    for number, block in enumerate(system if isinstance(system, list) else ()):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise refused(f"system.{number}.type", "Input should be 'text'")


def _at(body: dict[str, Any], param: str) -> Any:
    """A value by its dotted path; None where there is none."""
    value: Any = body
    for name in param.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _check_number(value: Any, param: str, highest: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise refused(param, "Input should be a valid number")
    if not 0 <= value <= highest:
        raise refused(param, f"Input should be between 0 and {highest}")


def read_schema(body: dict[str, Any]) -> Any:
    """The schema of structured output, in its newer and older place; None without one.

    Raises:
        ProviderError: If the provider refuses it.
    """
    param = "output_config.format" if _at(body, "output_config.format") else "output_format"
    if _at(body, param) is None:
        return None
    schema = _at(body, f"{param}.schema")
    if not isinstance(schema, dict):
        raise refused(f"{param}.schema", "Field required")
    for part in _schemas(schema):
        if "object" not in _types(part) or part.get("additionalProperties") is False:
            continue
        problem = "'additionalProperties' must be explicitly set to false"
        if part.get("additionalProperties") is True:
            problem = ("'additionalProperties: true' is not supported. Please set "
                       "'additionalProperties' to false")  # fmt: skip
        raise refused(f"{param}.schema", f"For 'object' type, {problem}")
    return schema


def _types(schema: dict[str, Any]) -> list[Any]:
    kind = schema.get("type")
    return kind if isinstance(kind, list) else [kind]


def _schemas(value: Any) -> Iterator[dict[str, Any]]:
    """A schema and all in it."""
    if isinstance(value, list):
        for item in value:
            yield from _schemas(item)
    if not isinstance(value, dict):
        return
    yield value
    for key, below in value.items():
        named = key in ("properties", "$defs", "definitions") and isinstance(below, dict)
        if key not in _NO_SCHEMAS:
            yield from _schemas(list(below.values()) if named else below)


def check_model(
    body: dict[str, Any], messages: list[Message], model: str, tokens: int, rules: Rules
) -> None:
    """Refuse what a model does not take.

    Args:
        body: The request.
        messages: Its messages.
        model: The model that is asked for.
        tokens: Tokens of the prompt.
        rules: The model's rules.

    Raises:
        ProviderError: With the provider's text.
    """
    bound = body.get("max_tokens")
    if bound is not None and rules.max_output is not None and bound > rules.max_output:
        raise refused("max_tokens", f"{bound} > {rules.max_output}, which is the maximum allowed "
                      f"number of output tokens for {model}")  # fmt: skip
    if rules.context is not None and tokens > rules.context:
        raise excluded(f"prompt is too long: {tokens} tokens > {rules.context} maximum")
    for name in rules.deprecated:
        if body.get(name) not in (None, 1):
            raise excluded(f"`{name}` is deprecated for this model.", name)
    if rules.one_of and all(body.get(name) is not None for name in rules.one_of):
        names = " and ".join(f"`{name}`" for name in rules.one_of)
        raise excluded(f"{names} cannot both be specified for this model. Please use only one.")
    if messages[-1]["role"] == "assistant":
        _check_prefill(messages[-1], rules)


def _check_prefill(message: Message, rules: Rules) -> None:
    if not rules.prefills:
        raise excluded("This model does not support assistant message prefill. The conversation "
                       "must end with a user message.", "messages")  # fmt: skip
    texts = [block.get("text") for block in blocks_of(message)[-1:]] or [message["content"]]
    if isinstance(texts[0], str) and texts[0] != texts[0].rstrip():
        raise refused("messages", "final assistant content cannot end with trailing whitespace")
