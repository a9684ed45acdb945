"""What OpenAI says of its prompt cache, from the prompts that a namespace has sent before.

Source: OpenAI guide "Prompt caching". Prompts of 1,024 tokens or more are cached; for models before
gpt-5.6 at each 128 tokens more, from gpt-5.6 on at breakpoints: the end of the prompt, unless
`prompt_cache_options.mode` is `explicit`, and each `prompt_cache_breakpoint`. Only those tell what
was written to the cache. Tools count no tokens here, but they must be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.encoding import to_bytes
from stackproof_gateway.prompt import Prompt, text_of
from stackproof_gateway.prompt_history import Beginning, Part, after_each, every

LEAST = 1024
_RETENTIONS = {"in_memory": 3600, "24h": 24 * 3600}
_TTLS = {"30m": 1800, "12h": 12 * 3600}
_SHARED = ("tools", "response_format", "text", "prompt_cache_key")
"""Fields that prompts with one cache have in common, beside the model."""
_NOT_SENT = {"content", "output", "id", "status"}
"""Fields of an item that are in its parts, or that the model does not see."""


def cache_counts(call: Call, prompt: Prompt) -> dict[str, int]:
    """The tokens of a prompt that are read from the cache, and those that are written to it.

    Args:
        call: The call; its namespace remembers the prompt from now on.
        prompt: What was asked.
    """
    breakpoints = call.rules.caches == "breakpoints"
    if prompt.tokens < LEAST:
        return {"cached_tokens": 0, **({"cache_write_tokens": 0} if breakpoints else {})}
    scope = to_bytes([prompt.model, *map(prompt.body.get, _SHARED)]).decode("ascii")
    return (_at_breakpoints if breakpoints else _at_steps)(call, prompt, scope)


def _at_steps(call: Call, prompt: Prompt, scope: str) -> dict[str, int]:
    history, now = call.namespace.prompts, call.namespace.now
    beginnings = [
        one for one in every([part for part, _ in _parts(prompt)], scope, least=LEAST)
        if one.tokens <= prompt.tokens
    ]  # fmt: skip
    cached = history.longest(beginnings, now)
    kept = _RETENTIONS.get(str(prompt.body.get("prompt_cache_retention")), _RETENTIONS["24h"])
    history.remember(beginnings, now + kept)
    return {"cached_tokens": cached}


def _at_breakpoints(call: Call, prompt: Prompt, scope: str) -> dict[str, int]:
    history, now = call.namespace.prompts, call.namespace.now
    options = prompt.body.get("prompt_cache_options") or {}
    ends, written = _ends(prompt, scope, implicit=options.get("mode") != "explicit")
    cached = history.longest(ends, now)
    longest = max((end.tokens for end in written), default=0)
    history.remember(written, now + _TTLS.get(str(options.get("ttl")), _TTLS["30m"]))
    return {"cached_tokens": cached, "cache_write_tokens": max(longest - cached, 0)}


def _ends(prompt: Prompt, scope: str, *, implicit: bool) -> tuple[list[Beginning], list[Beginning]]:
    """Where a prompt may have been cached, and where it is cached now."""
    parts = list(_parts(prompt))
    ends = list(after_each([part for part, _ in parts], scope))
    marked = [
        end for number, (end, (_, has_mark)) in enumerate(zip(ends, parts, strict=True), 1)
        if has_mark or (implicit and number == len(ends))
    ]  # fmt: skip
    fits = range(LEAST, prompt.tokens + 1)
    return [end for end in ends if end.tokens in fits], [
        end for end in marked if end.tokens in fits
    ]


def _parts(prompt: Prompt) -> Iterator[tuple[Part, bool]]:
    """The parts of a prompt, and whether a breakpoint follows."""
    body = prompt.body
    yield Part(text_of(body.get("instructions"))), False
    given = body.get("messages") or body.get("input") or ()
    messages = [{"role": "user", "content": given}] if isinstance(given, str) else given
    for message in (*prompt.earlier, *messages):
        content = message.get("content", message.get("output"))
        mark = {"type": "message", **message}
        mark = {name: value for name, value in mark.items() if name not in _NOT_SENT}
        for block in content if isinstance(content, list) else [content]:
            yield _part(block if isinstance(block, dict) else {"text": block}, mark)
            mark = {}


def _part(block: dict[str, Any], mark: dict[str, Any]) -> tuple[Part, bool]:
    text = block.get("text")
    hidden = {"type", "annotations", "logprobs", "prompt_cache_breakpoint",
              *(("text",) if isinstance(text, str) else ())}  # fmt: skip
    rest = [mark, {name: value for name, value in block.items() if name not in hidden}]
    part = Part(text if isinstance(text, str) else "", to_bytes(rest).decode("ascii"))
    return part, block.get("prompt_cache_breakpoint") is not None
