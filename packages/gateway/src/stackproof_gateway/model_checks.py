"""Requests that the provider refuses for the model they ask for.

`model_rules.yaml` holds the rules. Texts, params and codes follow errors that users of the API have
reported where such reports were found; the upper bound of `dimensions` and "max_tokens is too
large" are not confirmed by any.
"""

from __future__ import annotations

from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.model_rules import Rules
from stackproof_gateway.requests import check_choice

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Reasoning efforts that any model has; as the newest SDK of OpenAI lists them."""


def check_chat_model(body: dict[str, Any], rules: Rules, tokens: int) -> None:
    """Refuse what a model does not take in Chat.

    Raises:
        ProviderError: With the provider's text.
    """
    for name, other in rules.renamed.items():
        if body.get(name) is not None:
            raise _unsupported(name, f" Use '{other}' instead.")
    for name in rules.unsupported:
        if body.get(name) is not None:
            raise _unsupported(name)
    for name, only in rules.only.items():
        value = body.get(name)
        if value is not None and value != only:
            raise ProviderError(
                400,
                f"Unsupported value: '{name}' does not support {value} with this model. Only the "
                f"default ({only:g}) value is supported.",
                param=name,
                code="unsupported_value",
            )
    effort = body.get("reasoning_effort")
    if effort is not None and rules.efforts == ():
        raise ProviderError(400, "Unrecognized request argument supplied: reasoning_effort")
    _check_effort(effort, "reasoning_effort", rules)
    _check_bounds(body, rules)
    if rules.context is not None and tokens > rules.context:
        raise ProviderError(
            400,
            f"This model's maximum context length is {rules.context} tokens. However, your "
            f"messages resulted in {tokens} tokens. Please reduce the length of the messages.",
            param="messages",
            code="context_length_exceeded",
        )


def _check_bounds(body: dict[str, Any], rules: Rules) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is not None and rules.max_output is not None and value > rules.max_output:
            raise ProviderError(
                400,
                f"max_tokens is too large: {value}. This model supports at most "
                f"{rules.max_output} completion tokens, whereas you provided {value}.",
                param=name,
                code="invalid_value",
            )


def check_response_model(body: dict[str, Any], rules: Rules, tokens: int) -> None:
    """Refuse what a model does not take in Responses.

    Raises:
        ProviderError: With the provider's text.
    """
    for name in ("temperature", "top_p", "top_logprobs"):
        value = body.get(name)
        supported = name not in rules.unsupported and value == rules.only.get(name, value)
        if value is not None and not supported:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise ProviderError(400, message, param=name)
    logprobs = "message.output_text.logprobs" in (body.get("include") or ())
    if logprobs and "logprobs" in rules.unsupported:
        raise ProviderError(
            400, "logprobs are not supported with reasoning models.", param="include"
        )
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None and rules.efforts == ():
        raise _unsupported("reasoning.effort")
    _check_effort(effort, "reasoning.effort", rules)
    is_cut = body.get("truncation") == "auto"
    if rules.context is not None and tokens > rules.context and not is_cut:
        message = (
            "Your input exceeds the context window of this model. Please adjust your input and "
            "try again."
        )
        raise ProviderError(400, message, param="input", code="context_length_exceeded")


def _check_effort(effort: Any, param: str, rules: Rules) -> None:
    if effort is None:
        return
    check_choice(effort, param, EFFORTS)
    if rules.efforts is not None and effort not in rules.efforts:
        *others, last = (f"'{word}'" for word in rules.efforts)
        raise ProviderError(
            400,
            f"Unsupported value: '{param}' does not support '{effort}' with this model. Supported "
            f"values are: {', '.join(others)}, and {last}.",
            param=param,
            code="unsupported_value",
        )


def check_embedding_model(dimensions: int | None, tokens: list[int], rules: Rules) -> None:
    """Refuse what a model does not take in embeddings.

    Args:
        dimensions: How many are asked for; None where the request does not say.
        tokens: Tokens of each text.
        rules: The model's rules.

    Raises:
        ProviderError: With the provider's text.
    """
    if dimensions is not None and not rules.shortens:
        raise ProviderError(400, "This model does not support specifying dimensions.")
    if dimensions is not None and rules.dimensions is not None and dimensions > rules.dimensions:
        raise ProviderError(400, f"Invalid value for 'dimensions' = {dimensions}. Must be less "
                            f"than or equal to {rules.dimensions}.")  # fmt: skip
    for number, count in enumerate(tokens):
        if rules.max_input is not None and count > rules.max_input:
            raise ProviderError(400, f"Invalid 'input[{number}]': maximum input length is "
                                f"{rules.max_input} tokens.")  # fmt: skip


def _unsupported(param: str, advice: str = "") -> ProviderError:
    message = f"Unsupported parameter: '{param}' is not supported with this model.{advice}"
    return ProviderError(400, message, param=param, code="unsupported_parameter")
