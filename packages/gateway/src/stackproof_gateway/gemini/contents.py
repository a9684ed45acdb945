"""The contents of a request to Gemini: roles, parts, and functions that were called.

Contents of one role in a row are one turn. A function's results come in the turn after its call, as
many as there were calls. The texts are those that users of the API report; that a turn of calls may
not be the last one, and the text of an unknown id, are not confirmed by any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.prompt import Turn, count_tokens

Content = dict[str, Any]
ROLES = {"user": "user", "function": "user", "model": "model"}
_DATA = ("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode",
         "codeExecutionResult", "toolCall", "toolResponse")  # fmt: skip
_NUMBER = (
    "Please ensure that the number of function response parts is equal to the number of function "
    "call parts of the function call turn."
)


def broken(place: str, problem: str) -> ProviderError:
    """A request whose form is right and whose content is not, as Gemini says it."""
    return ProviderError(400, f"* {place}: {problem}\n", param=place)


def invalid(message: str) -> ProviderError:
    """A request that contradicts itself."""
    return ProviderError(400, message)


def check_contents(contents: list[Content], where: str = "GenerateContentRequest") -> None:
    """Refuse contents that the provider refuses.

    Args:
        contents: The contents.
        where: The message that they belong to.

    Raises:
        ProviderError: With the provider's text.
    """
    if not contents:
        raise broken(f"{where}.contents", "contents is not specified")
    for number, content in enumerate(contents):
        place = f"{where}.contents[{number}]"
        if content.get("role", "user") not in ROLES:
            raise invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            raise broken(f"{place}.parts", "contents.parts must not be empty.")
        check_parts(content, place)
    _check_order(contents)


def check_parts(content: Content, place: str) -> None:
    """Refuse parts that say nothing, or more than one thing.

    Raises:
        ProviderError: With the provider's text.
    """
    for number, part in enumerate(content.get("parts") or ()):
        inner = f"{place}.parts[{number}]"
        given = [name for name in _DATA if name in part]
        if len(given) != 1 and not (not given and "thoughtSignature" in part):
            raise broken(f"{inner}.data", "required oneof field 'data' must have one initialized "
                         "field")  # fmt: skip
        for name, label in (("functionCall", "function_call"),
                            ("functionResponse", "function_response")):  # fmt: skip
            if name in part and not part[name].get("name"):
                raise broken(f"{inner}.{label}.name", "Name cannot be empty.")


def _check_order(contents: list[Content]) -> None:
    called: list[Any] = []
    before = ""
    for role, parts in turns_of(contents):
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if calls and role == "model" and before != "user":
            raise invalid("Please ensure that function call turn comes immediately after a user "
                          "turn or after a function response turn.")  # fmt: skip
        if results and not called:
            raise invalid("Please ensure that function response turn comes immediately after a "
                          "function call turn.")  # fmt: skip
        if len(results) != len(called):
            raise invalid(_NUMBER)
        _check_ids(called, results)
        called, before = calls, role
    if called:
        raise invalid(_NUMBER)


def _check_ids(called: list[Any], results: list[Any]) -> None:
    """Refuse a result with the id of no call; where one of them has no id, their order counts."""
    known = {call.get("id") for call in called}
    for result in results:
        identity = result.get("id")
        if identity and None not in known and identity not in known:
            raise invalid(f"Function response id {identity[:64]} does not match any function call "
                          "of the function call turn.")  # fmt: skip


def turns_of(contents: list[Content]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The turns: whose each is, and its parts."""
    role, parts = "", list[dict[str, Any]]()
    for content in contents:
        own = ROLES[content.get("role", "user")]
        if own != role and parts:
            yield role, parts
            parts = []
        role = own
        parts = [*parts, *content["parts"]]
    yield role, parts


def text_of(content: Content | None) -> str:
    """What a content says, without thoughts."""
    parts = (content or {}).get("parts") or ()
    return "\n".join(part["text"] for part in parts if "text" in part and not part.get("thought"))


def conversation(body: dict[str, Any]) -> Iterator[Turn]:
    """The turns of a request, as scripts look at them."""
    system = text_of(body.get("systemInstruction"))
    if system:
        yield Turn("system", system)
    for content in body["contents"]:
        parts = content["parts"]
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        for result in results:
            yield Turn("tool", result_text(result))
        said = [text_of(content), *(_called(part["functionCall"]) for part in parts
                                    if "functionCall" in part)]  # fmt: skip
        text = "\n".join(filter(None, said))
        if text or not results:
            yield Turn("assistant" if content.get("role") == "model" else "user", text)


def result_text(result: dict[str, Any]) -> str:
    """What a function has given back; `result` and `output` are how SDKs wrap a plain value."""
    given = result.get("response")
    if isinstance(given, dict) and len(given) == 1:
        ((name, value),) = given.items()
        if name in ("result", "output", "error"):
            given = value
    return given if isinstance(given, str) else json.dumps(given)


def _called(call: dict[str, Any]) -> str:
    return f"{call['name']} {json.dumps(call.get('args') or {})}"


def tokens_of(contents: list[Content]) -> int:
    """Tokens of contents, counted as words; a part that is no text counts as one."""
    texts = [
        part.get("text")
        or ("functionResponse" in part and result_text(part["functionResponse"]))
        or ("functionCall" in part and _called(part["functionCall"]))
        or "part"
        for content in contents
        for part in content.get("parts") or ()
    ]
    return sum(count_tokens(text) for text in texts)
