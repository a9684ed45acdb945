"""What calls cost at most, and what they have cost: a price table as data.

A call whose price nobody knows is not sent. Before it goes out, its cost is bounded from above: no
token of a text is shorter than a byte, a request with images, files or earlier responses fills the
model's context, and the answer is as long as the request allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any

from stackproof_gateway.apis import model_in
from stackproof_gateway.provider.contents import (
    candidates_of,
    config_of,
    is_more_than_text,
    marks_cache,
    other_price,
)
from stackproof_gateway.strict_fields import Fields
from stackproof_gateway.yaml_files import parse_value, read_value

MILLION = Decimal(1_000_000)
BOUNDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
EMBEDDING = (":embedContent", ":batchEmbedContents")
FUNCTIONS = ("functionDeclarations", "function_declarations")
COUNTING = ("/v1/moderations", "/v1/messages/count_tokens", "/v1/responses/input_tokens")
"""Endpoints that name a model and ask it nothing."""

CACHE_WRITE, HOUR_WRITE = Decimal("1.25"), Decimal(2)
"""How many times the price of a token it costs to write it to a prompt cache, also for an hour.

Source: Anthropic's and OpenAI's guides "Prompt caching"; LiteLLM's price list has the same.
"""


@dataclass(frozen=True)
class Price:
    """What a model costs.

    Attributes:
        input: US dollars for a million tokens of the request.
        output: The same for the answer.
        max_output: Most tokens of an answer; None where the table does not say.
        context: Most tokens of a request.
        hides_tokens: Whether it may bill tokens that its answers do not show, such as reasoning.
        writes_cache: Whether it bills writes to the prompt cache that no request asks for.
    """

    input: Decimal
    output: Decimal = Decimal(0)
    max_output: int | None = None
    context: int | None = None
    hides_tokens: bool = True
    writes_cache: bool = False


@dataclass(frozen=True)
class Cost:
    """Tokens and money of a call.

    Attributes:
        tokens: Tokens of request and answer.
        usd: US dollars.
        answered: Tokens of the answer, where that is known.
    """

    tokens: int
    usd: Decimal
    answered: int = 0


class UnpricedError(Exception):
    """Nobody knows what a call would cost."""


@dataclass(frozen=True)
class PriceTable:
    """Prices of models and endpoints.

    Attributes:
        models: Price by the name of a model.
        endpoints: US dollars for a call, by pattern of method and path.
    """

    models: Mapping[str, Price] = field(default_factory=dict)
    endpoints: Mapping[str, Decimal] = field(default_factory=dict)

    def price_of(self, model: str) -> Price:
        """The price of a model.

        Raises:
            UnpricedError: If the table does not have it.
        """
        undated = model.split("-20", maxsplit=1)[0]
        price = self.models.get(model) or self.models.get(undated)
        if price is None:
            raise UnpricedError(
                f"the price of the model {model!r} is unknown; add it to a price table and "
                "start the gateway with --prices FILE"
            )
        return price

    def bound(self, method: str, path: str, body: Mapping[str, Any] | None, size: int) -> Cost:
        """The most that a call can cost.

        Args:
            method: HTTP method.
            path: Path, from `/v1` on.
            body: The request as an object; None where it is none.
            size: Bytes of the request.

        Raises:
            UnpricedError: If nobody knows.
        """
        model = model_in(path) or (body.get("model") if body else None)
        counts = path in COUNTING or path.endswith(":countTokens")
        if not isinstance(model, str) or body is None or counts:
            return Cost(0, self._call_price(method, path))
        price = self.price_of(model)
        asked = _asked(body, size, price)
        silent = path == "/v1/embeddings" or path.endswith(EMBEDDING)
        answered = 0 if silent else _answered(body, price, model)
        dearest = HOUR_WRITE if marks_cache(body) else CACHE_WRITE if price.writes_cache else 1
        return Cost(asked + answered, _usd(price, dearest * asked, answered), answered)

    def cost(self, model: str, usage: Mapping[str, int]) -> Cost:
        """What a call has cost, from the usage that the provider tells."""
        price = self.price_of(model)
        asked, answered = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        written = usage.get("cache_write_tokens", 0)
        hour = usage.get("cache_write_1h_tokens", written)
        more = (CACHE_WRITE - 1) * (written - hour) + (HOUR_WRITE - 1) * hour
        return Cost(asked + answered, _usd(price, asked + more, answered))

    def counted(self, reserved: Cost, model: str, written: int) -> Cost:
        """The most that a whole answer can have cost which does not tell its usage.

        Args:
            reserved: The most that the call could cost.
            model: The model that was asked.
            written: Bytes of text in the answer; no token is shorter.
        """
        price = self.price_of(model)
        if price.hides_tokens:
            return reserved
        asked = (reserved.usd * MILLION - price.output * reserved.answered) / MILLION
        answered = min(written, reserved.answered)
        return Cost(
            reserved.tokens - reserved.answered + answered,
            asked + price.output * answered / MILLION,
            answered,
        )

    def _call_price(self, method: str, path: str) -> Decimal:
        for pattern, usd in self.endpoints.items():
            if fnmatchcase(f"{method} {path}", pattern):
                return usd
        raise UnpricedError(
            f"the price of {method} {path} is unknown; add it to `endpoints` of a price table "
            "and start the gateway with --prices FILE"
        )


def _usd(price: Price, asked: Decimal | int, answered: int) -> Decimal:
    return (price.input * asked + price.output * answered) / MILLION


def _asked(body: Mapping[str, Any], size: int, price: Price) -> int:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = _kind_of(tool)
        if kind not in ("function", "custom"):
            raise UnpricedError(f"the price of the provider's tool {kind!r} is unknown")
    other = other_price(body)
    if other:
        raise UnpricedError(f"the price of {other} is unknown")
    if not is_more_than_text(body):
        return size
    if price.context is None:
        raise UnpricedError("the length of images, files and earlier responses is unknown; give "
                            "the model a `context` in the price table")  # fmt: skip
    return max(price.context, size)


def _kind_of(tool: Any) -> Any:
    """What a tool is; Google's objects have the name of the kind as their key."""
    if not isinstance(tool, dict) or "type" in tool or "name" in tool:
        return tool.get("type", "custom") if isinstance(tool, dict) else None
    others = [name for name in tool if name not in FUNCTIONS]
    return others[0] if others else "function"


def _answered(body: Mapping[str, Any], price: Price, model: str) -> int:
    bounds: list[int] = [body[name] for name in BOUNDS if type(body.get(name)) is int]
    most = config_of(body).get("maxOutputTokens")
    bounds += [most] if type(most) is int else []
    if price.max_output is not None:
        bounds.append(price.max_output)
    if not bounds:
        raise UnpricedError(
            f"the length of the answer has no limit: set max_tokens, or `max_output` of {model} in "
            "the price table"
        )
    several: list[int] = [body[name] for name in ("n", "best_of") if type(body.get(name)) is int]
    times = max(several or [candidates_of(body)])
    return max(min(bounds), 0) * max(times, 1)


def load_prices(own: Path | None = None) -> PriceTable:
    """The price table that comes with the gateway, and over it one of the user's.

    Args:
        own: YAML file of the same form.

    Raises:
        ScriptError: If the file is not what it should be.
    """
    given = files("stackproof_gateway.provider").joinpath("prices.yaml").read_text()
    table = _read(parse_value(given, "prices.yaml"), "prices.yaml")
    if own is None:
        return table
    mine = _read(read_value(own), str(own))
    return PriceTable(
        {**table.models, **mine.models}, {**mine.endpoints, **table.endpoints, **mine.endpoints}
    )


def _read(value: Any, source: str) -> PriceTable:
    fields = Fields(value or {}, (), {}, source)
    models, endpoints = fields.below("models"), fields.below("endpoints")
    fields.finish()
    return PriceTable(
        {name: _price(models.below(name)) for name in models},
        {pattern: endpoints.dollars(pattern) for pattern in endpoints},
    )


def _price(fields: Fields) -> Price:
    if not fields.has("input"):
        raise fields.error("`input` is missing: US dollars for a million tokens")
    price = Price(
        fields.dollars("input"),
        fields.dollars("output"),
        fields.count("max_output"),
        fields.count("context"),
        fields.take("hides_tokens", bool, "true or false") is not False,
        fields.take("writes_cache", bool, "true or false") is True,
    )
    fields.finish()
    return price
