"""What a gateway is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

MODES = ("fake", "replay", "record", "live")
ASKING = frozenset({"record", "live"})
"""Modes that ask the real provider, which costs money."""


@dataclass(frozen=True)
class Options:
    """Settings of a gateway.

    Attributes:
        host: Address that it listens on.
        allowed_hosts: Names that it answers to, beside those that are its own anyway.
        allowed_origins: Origins whose pages may use it, such as `http://localhost:3000`.
        token: What its control interface needs, and each call that costs money.
        scripts: YAML file of scripts that every namespace has.
        concepts: YAML file of synonyms and pinned texts for embeddings.
        array_items: How many items an array gets in an answer by schema.
        model_rules: YAML file of what models refuse, beside the usual table.
        strict_namespaces: Whether a request that names no namespace is refused.
        dialect: The server that it is compatible with.
        llm: Who answers: `fake`, `replay`, `record` or `live`.
        cassettes: Folder of recordings.
        ignore: Fields of a request's body that recordings are not matched on.
        changing: Classes of values that differ from run to run, which are matched by placeholders.
        openai_url: Base URL of the real provider, with `/v1`.
        openai_key: Its key.
        anthropic_url: Base URL of Anthropic, with `/v1`.
        anthropic_key: Its key.
        gemini_url: Base URL of Google's Gemini, without a version.
        gemini_key: Its key.
        secrets: Further values that no recording may hold.
        budget_usd: US dollars that may be spent.
        budget_requests: Requests that may be sent.
        budget_tokens: Tokens that may be used.
        ledger: File that remembers what was spent.
        prices: YAML file of prices beside the usual ones.
    """

    host: str = "127.0.0.1"
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    scripts: Path | None = None
    concepts: Path | None = None
    array_items: int = 1
    model_rules: Path | None = None
    strict_namespaces: bool = False
    dialect: str = "openai"
    llm: str = "fake"
    cassettes: Path | None = None
    ignore: tuple[str, ...] = ()
    changing: tuple[str, ...] = ("default",)
    openai_url: str = "https://api.openai.com/v1"
    openai_key: str = field(default="", repr=False)
    anthropic_url: str = "https://api.anthropic.com/v1"
    anthropic_key: str = field(default="", repr=False)
    gemini_url: str = "https://generativelanguage.googleapis.com"
    gemini_key: str = field(default="", repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    budget_usd: Decimal | None = None
    budget_requests: int | None = None
    budget_tokens: int | None = None
    ledger: Path = Path(".artifacts/llm-ledger.json")
    prices: Path | None = None
