"""Thinking of Gemini's models: whether a request gets it, and signatures that must come back.

Source: Gemini API guides "Thinking" and "Thought signatures". The texts are those that users of the
API report; that of a budget for a model without thinking is not confirmed. A signature stands at
the first function call of a step, or at the last text; two words of the guide stand for one.
"""

from __future__ import annotations

import base64
from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.gemini.contents import Content, invalid, turns_of
from stackproof_gateway.model_rules import Rules
from stackproof_gateway.replies import Reply
from stackproof_gateway.sealing import opened, sealed

KIND = "thoughtSignature"
DYNAMIC = -1
ANY_WORDS = ("context_engineering_is_the_way_to_go", "skip_thought_signature_validator")
"""What stands for the signature of a call that another model has made."""

_STANDARD = str.maketrans("-_", "+/")
_ANY = {word.translate(_STANDARD) for word in ANY_WORDS} | {
    base64.b64encode(word.encode()).decode().rstrip("=") for word in ANY_WORDS
}


def reasoning_of(config: dict[str, Any], rules: Rules) -> str:
    """Whether the model thinks first: `none`, `told`, `hidden` or `shown`.

    Args:
        config: What the request says of thinking.
        rules: The model's rules.

    Raises:
        ProviderError: If the model does not think in that way.
    """
    budget, level = config.get("thinkingBudget"), config.get("thinkingLevel")
    shown = config.get("includeThoughts") is True
    if budget is not None and level is not None:
        raise invalid("You can only set only one of thinking budget and thinking level.")
    _check_level(level, rules)
    _check_budget(budget, rules)
    asked = budget is not None or level is not None
    thinks = budget != 0 if asked else rules.thinks_unasked
    if not thinks and shown and rules.thinking is not None:
        raise invalid("Thinking_config.include_thoughts is only enabled when thinking is enabled.")
    if shown:
        return "shown"
    if thinks:
        return "hidden"
    return "told" if rules.thinking is None and not asked else "none"


def _check_level(level: str | None, rules: Rules) -> None:
    if level is None or rules.thinking is None:
        return
    if "level" not in rules.thinking:
        raise invalid("Thinking level is not supported for this model.")
    if rules.efforts is not None and level.lower() not in rules.efforts:
        raise invalid(f"Thinking level {level} is not supported for this model. Please retry with "
                      "other thinking level.")  # fmt: skip


def _check_budget(budget: int | None, rules: Rules) -> None:
    if budget in (None, DYNAMIC) or rules.thinking is None:
        return
    if "budget" not in rules.thinking:
        raise invalid("Thinking budget is not supported for this model.")
    if budget == 0 and "none" in rules.thinking:
        return
    if budget == 0:
        raise invalid("Budget 0 is invalid. This model only works in thinking mode.")
    if rules.budgets is not None and not rules.budgets[0] <= (budget or 0) <= rules.budgets[1]:
        least, most = rules.budgets
        raise invalid(f"The thinking budget {budget} is invalid. Please choose a value between "
                      f"{least} and {most}.")  # fmt: skip


def signature_of(reply: Reply) -> str:
    """The signature of what a reply was thought out with."""
    return sealed("\n".join(thought.text for thought in reply.reasoning), KIND)


def check_signatures(contents: list[Content], rules: Rules) -> None:
    """Refuse signatures that the gateway has not made, and calls that lack one.

    Args:
        contents: The contents of a request.
        rules: The model's rules.

    Raises:
        ProviderError: With the provider's text.
    """
    for content in contents:
        for part in content["parts"]:
            if not _is_known(part.get("thoughtSignature")):
                raise invalid("Corrupted thought signature.")
    if rules.signs_calls:
        _check_steps(contents)


def _is_known(given: str | None) -> bool:
    if not given:
        return True
    text = given.translate(_STANDARD).rstrip("=")
    padded = text + "=" * (-len(text) % 4)
    return text in _ANY or opened(padded, KIND) is not None


def _check_steps(contents: list[Content]) -> None:
    """Refuse a call of the current turn whose step has no signature.

    The turn begins after the last text of the user.
    """
    begun = max((at for at, content in enumerate(contents) if _is_asked(content)), default=-1)
    current = contents[begun + 1 :]
    position = begun + 2
    for role, parts in turns_of(current) if current else ():
        calls = [part for part in parts if "functionCall" in part]
        if role == "model" and calls and not calls[0].get("thoughtSignature"):
            name = calls[0]["functionCall"]["name"]
            raise ProviderError(
                400,
                "Function call is missing a thought_signature in functionCall parts. This is "
                "required for tools to work correctly, and missing thought_signature may lead to "
                "degraded model performance. Additional data, function call "
                f"`default_api:{name}` , position {position}. Please refer to "
                "https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
            )
        position += 1


def _is_asked(content: Content) -> bool:
    own = content.get("role", "user") == "user"
    return own and not any("functionResponse" in part for part in content["parts"])
