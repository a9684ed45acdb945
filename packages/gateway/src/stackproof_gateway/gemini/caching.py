"""What Gemini says of its implicit cache, from the prompts that a namespace has sent before.

Source: Gemini API guide "Context caching": prompts with the same beginning, long enough, are read
from a cache. The least length is that of the Flash models; how long one is kept is not said there,
and taken for an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.prompt_history import Part, every

LEAST = 1024
SECONDS = 3600


def cache_counts(call: Call, prompt: Prompt) -> dict[str, int]:
    """The tokens of a prompt that are read from the cache.

    Args:
        call: The call; its namespace remembers the prompt from now on.
        prompt: What was asked.
    """
    if prompt.tokens < LEAST:
        return {}
    scope = to_bytes([prompt.model, prompt.body.get("tools")]).decode("ascii")
    beginnings = [one for one in every(list(_parts(prompt.body)), scope, least=LEAST)
                  if one.tokens <= prompt.tokens]  # fmt: skip
    history, now = call.namespace.prompts, call.namespace.now
    cached = history.longest(beginnings, now)
    history.remember(beginnings, now + SECONDS)
    return {"cached_tokens": cached}


def _parts(body: dict[str, Any]) -> Iterator[Part]:
    system = body.get("systemInstruction")
    for content in [*([system] if system else []), *body["contents"]]:
        for part in content.get("parts") or ():
            rest = {name: value for name, value in part.items() if name != "text"}
            yield Part(part.get("text", ""), to_bytes([content.get("role"), rest]).decode("ascii"))
