"""From the settings of a gateway to the mode that it answers in."""

from __future__ import annotations

from decimal import Decimal

from stackproof_gateway.apis import ANTHROPIC, GOOGLE, OPENAI
from stackproof_gateway.options import Options
from stackproof_gateway.provider.budget import Budget, Limits
from stackproof_gateway.provider.cassettes import Cassettes
from stackproof_gateway.provider.changing import Changing
from stackproof_gateway.provider.drift import Checking
from stackproof_gateway.provider.forwarding import Forwarder, Place, Upstream
from stackproof_gateway.provider.masking import Masker
from stackproof_gateway.provider.prices import load_prices
from stackproof_gateway.provider.replaying import Replaying
from stackproof_gateway.provider.serving import Asking, Mode, Purse
from stackproof_gateway.strict_fields import ScriptError


def make_mode(options: Options) -> Mode | None:
    """What answers instead of the deterministic replies; None for those.

    Raises:
        ScriptError: If something is missing that the mode needs, or a file is wrong.
    """
    if options.llm == "fake":
        return None
    if options.llm == "replay":
        return Replaying(_cassettes(options), _masker(options))
    purse = _purse(options)
    cassettes = _cassettes(options) if options.llm == "record" else None
    return Asking(Forwarder(_upstream(options)), purse, _masker(options), cassettes)


def make_check(options: Options) -> tuple[Checking, Cassettes]:
    """What asks the provider again, and what was recorded.

    Raises:
        ScriptError: If something is missing, or a file is wrong.
    """
    purse = _purse(options)
    forwarder = Forwarder(_upstream(options))
    return Checking(forwarder, purse.prices, purse.budget), _cassettes(options)


def _masker(options: Options) -> Masker:
    own = (options.openai_key, options.anthropic_key, options.gemini_key, options.token)
    return Masker([*own, *options.secrets])


def _cassettes(options: Options) -> Cassettes:
    if options.cassettes is None:
        raise ScriptError(f"{options.llm} needs a folder: --cassettes FOLDER", "--llm")
    changing = Changing(options.changing)
    return Cassettes(options.cassettes, _masker(options), options.ignore, changing)


def _upstream(options: Options) -> Upstream:
    if not (options.openai_key or options.anthropic_key or options.gemini_key):
        raise ScriptError(
            f"{options.llm} asks a real provider, so it needs its key in the environment: "
            "GATEWAY_OPENAI_KEY, GATEWAY_ANTHROPIC_KEY or GATEWAY_GEMINI_KEY", "--llm",
        )  # fmt: skip
    return {
        OPENAI: Place("OpenAI", options.openai_url, options.openai_key),
        ANTHROPIC: Place("Anthropic", options.anthropic_url, options.anthropic_key),
        GOOGLE: Place("Gemini", options.gemini_url, options.gemini_key),
    }


def _purse(options: Options) -> Purse:
    if options.budget_usd is None:
        raise ScriptError(
            f"{options.llm} spends money, so it needs a budget: --budget-usd 0.50", "--llm"
        )
    limits = Limits(
        Decimal(str(options.budget_usd)), options.budget_requests, options.budget_tokens
    )
    return Purse(load_prices(options.prices), Budget(limits, options.ledger))
