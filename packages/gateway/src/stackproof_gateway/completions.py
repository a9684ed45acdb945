"""Text completions, the older form of chat.

Source: OpenAI API reference, "Create completion".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackproof_gateway.call import Call
from stackproof_gateway.chat_requests import MOST_CHOICES
from stackproof_gateway.embedding_requests import embedding_inputs
from stackproof_gateway.encoding import Closing, event
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.replies import Completion, pieces
from stackproof_gateway.requests import (
    BOOLEAN,
    OBJECT,
    STRING,
    STRING_OR_STRINGS,
    check_count,
    check_sampling,
    check_shapes,
    shapes,
    stop_words,
)

DEFAULT_BOUND = 16
KNOWN_FIELDS = frozenset(
    "best_of echo frequency_penalty logit_bias logprobs max_tokens model n presence_penalty prompt "
    "seed stop stream stream_options suffix temperature top_p user".split()
)
_SHAPES = shapes({
    BOOLEAN: "stream echo",
    OBJECT: "stream_options logit_bias",
    STRING: "suffix",
    STRING_OR_STRINGS: "stop",
})  # fmt: skip


def read_completion(call: Call, body: dict[str, Any]) -> Prompt:
    """What a completion request asks for.

    Raises:
        ProviderError: If the request is one that the provider refuses.
    """
    check_sampling(body)
    check_shapes(body, _SHAPES)
    first, *others = embedding_inputs({"input": body.get("prompt") or "<|endoftext|>"})
    bound = check_count(body, "max_tokens")
    return Prompt(
        model=call.entry.model,
        path=call.entry.path,
        asked=first,
        last=first,
        others=tuple(others),
        tokens=sum(count_tokens(text) for text in [first, *others]),
        stop=stop_words(body),
        bound=DEFAULT_BOUND if bound is None else bound,
        choices=check_count(body, "n", MOST_CHOICES) or 1,
        stream=bool(body.get("stream")),
        include_usage=(body.get("stream_options") or {}).get("include_usage") is True,
        body=body,
    )


def as_json(completion: Completion) -> dict[str, Any]:
    """The plain form."""
    choices = [
        _choice(index, reply.content or "", reply.finish_reason)
        for index, reply in enumerate(completion.replies)
    ]
    return {
        **completion.head("cmpl-", "text_completion"),
        "choices": choices,
        "usage": completion.usage,
    }


def as_events(completion: Completion) -> Iterator[bytes]:
    """The streamed form: server-sent events, the last one `[DONE]`."""
    base = completion.head("cmpl-", "text_completion")
    for index, reply in enumerate(completion.replies):
        for piece in pieces(reply.content or ""):
            yield event({**base, "choices": [_choice(index, piece, None)]})
    for index, reply in enumerate(completion.replies):
        yield Closing(event({**base, "choices": [_choice(index, "", reply.finish_reason)]}))
    if completion.prompt.include_usage:
        yield Closing(event({**base, "choices": [], "usage": completion.usage}))
    yield Closing(b"data: [DONE]\n\n")


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"text": text, "index": index, "logprobs": None, "finish_reason": reason}
