"""From the settings of a gateway to the mode that it answers in."""

from __future__ import annotations

from decimal import Decimal

from stackproof.gateway.options import Options
from stackproof.gateway.provider.budget import Budget, Limits
from stackproof.gateway.provider.cassettes import Cassettes
from stackproof.gateway.provider.drift import Checking
from stackproof.gateway.provider.forwarding import Forwarder, Upstream
from stackproof.gateway.provider.masking import Masker
from stackproof.gateway.provider.prices import load_prices
from stackproof.gateway.provider.serving import Asking, Mode, Purse, Replaying
from stackproof.gateway.strict_fields import ScriptError


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
    own = (options.openai_key, options.anthropic_key, options.token)
    return Masker([*own, *options.secrets])


def _cassettes(options: Options) -> Cassettes:
    if options.cassettes is None:
        raise ScriptError(f"{options.llm} needs a folder: --cassettes FOLDER", "--llm")
    return Cassettes(options.cassettes, _masker(options), options.ignore)


def _upstream(options: Options) -> Upstream:
    if not (options.openai_key or options.anthropic_key):
        raise ScriptError(
            f"{options.llm} asks a real provider, so it needs its key in the environment: "
            "GATEWAY_OPENAI_KEY or GATEWAY_ANTHROPIC_KEY", "--llm",
        )  # fmt: skip
    return Upstream(
        options.openai_url, options.openai_key, options.anthropic_url, options.anthropic_key
    )


def _purse(options: Options) -> Purse:
    if options.budget_usd is None:
        raise ScriptError(
            f"{options.llm} spends money, so it needs a budget: --budget-usd 0.50", "--llm"
        )
    limits = Limits(
        Decimal(str(options.budget_usd)), options.budget_requests, options.budget_tokens
    )
    return Purse(load_prices(options.prices), Budget(limits, options.ledger))
