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

from stackproof.gateway.provider.contents import is_more_than_text, other_price
from stackproof.gateway.strict_fields import Fields
from stackproof.gateway.yaml_files import parse_value, read_value

MILLION = Decimal(1_000_000)
BOUNDS = ("max_completion_tokens", "max_output_tokens", "max_tokens")
WITHOUT_ANSWER = ("/v1/embeddings", "/v1/moderations", "/v1/messages/count_tokens")


@dataclass(frozen=True)
class Price:
    """What a model costs.

    Attributes:
        input: US dollars for a million tokens of the request.
        output: The same for the answer.
        max_output: Most tokens of an answer; None where the table does not say.
        context: Most tokens of a request.
        hides_tokens: Whether it may bill tokens that its answers do not show, such as reasoning.
    """

    input: Decimal
    output: Decimal = Decimal(0)
    max_output: int | None = None
    context: int | None = None
    hides_tokens: bool = True


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
                f"the price of the model {model!r} is not known; add it to a price table and "
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
        model = body.get("model") if body else None
        if not isinstance(model, str) or body is None or path in WITHOUT_ANSWER[1:]:
            return Cost(0, self._call_price(method, path))
        price = self.price_of(model)
        asked = _asked(body, size, price)
        answered = 0 if path in WITHOUT_ANSWER else _answered(body, price, model)
        return Cost(asked + answered, _usd(price, asked, answered), answered)

    def cost(self, model: str, usage: Mapping[str, int]) -> Cost:
        """What a call has cost, from the usage that the provider tells."""
        price = self.price_of(model)
        asked, answered = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
        written = usage.get("cache_write_tokens", 0)  # billed up to twice
        return Cost(asked + answered, _usd(price, asked + written, answered))

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
            f"the price of {method} {path} is not known; add it to `endpoints` of a price table "
            "and start the gateway with --prices FILE"
        )


def _usd(price: Price, asked: int, answered: int) -> Decimal:
    return (price.input * asked + price.output * answered) / MILLION


def _asked(body: Mapping[str, Any], size: int, price: Price) -> int:
    tools = body.get("tools")
    for tool in tools if isinstance(tools, list) else ():
        kind = tool.get("type", "custom") if isinstance(tool, dict) else None
        if kind not in ("function", "custom"):
            raise UnpricedError(f"the tool {kind!r} of the provider's own has no known price")
    other = other_price(body)
    if other:
        raise UnpricedError(f"{other} has a price of its own, which is not known")
    if not is_more_than_text(body):
        return size
    if price.context is None:
        raise UnpricedError("how long images, files and earlier responses are is not known; give "
                            "the model a `context` in the price table")  # fmt: skip
    return max(price.context, size)


def _answered(body: Mapping[str, Any], price: Price, model: str) -> int:
    bounds: list[int] = [body[name] for name in BOUNDS if type(body.get(name)) is int]
    if price.max_output is not None:
        bounds.append(price.max_output)
    if not bounds:
        raise UnpricedError(
            f"how long the answer can be is not known: set max_tokens, or `max_output` of {model} "
            "in the price table"
        )
    several: list[int] = [body[name] for name in ("n", "best_of") if type(body.get(name)) is int]
    times = max(several or [1])
    return max(min(bounds), 0) * max(times, 1)


def load_prices(own: Path | None = None) -> PriceTable:
    """The price table that comes with the gateway, and over it one of the user's.

    Args:
        own: YAML file of the same form.

    Raises:
        ScriptError: If the file is not what it should be.
    """
    given = files("stackproof.gateway.provider").joinpath("prices.yaml").read_text()
    table = _read(parse_value(given, "prices.yaml"), "prices.yaml")
    if own is None:
        return table
    mine = _read(read_value(own), str(own))
    return PriceTable(
        {**table.models, **mine.models}, {**mine.endpoints, **table.endpoints, **mine.endpoints}
    )


def _read(value: Any, source: str) -> PriceTable:
    fields = Fields(value or {}, (), {}, source)
    models = fields.take("models", dict, "prices by model") or {}
    endpoints = fields.take("endpoints", dict, "prices by endpoint") or {}
    fields.finish()
    priced = {str(name): _price(Fields(one, ("models", str(name)), {}, source))
              for name, one in models.items()}  # fmt: skip
    calls = {}
    for pattern, usd in endpoints.items():
        if isinstance(usd, bool) or not isinstance(usd, int | float) or usd < 0:
            raise fields.error(f"expected US dollars, but got {usd!r}", "endpoints")
        calls[str(pattern)] = Decimal(str(usd))
    return PriceTable(priced, calls)


def _price(fields: Fields) -> Price:
    if not fields.has("input"):
        raise fields.error("`input` is missing: US dollars for a million tokens")
    price = Price(
        Decimal(str(fields.seconds("input"))),
        Decimal(str(fields.seconds("output"))),
        fields.count("max_output"),
        fields.count("context"),
        fields.take("hides_tokens", bool, "true or false") is not False,
    )
    fields.finish()
    return price
