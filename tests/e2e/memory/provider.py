"""The providers as the scenarios see them: what they were asked, and what they keep."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from stackproof_gateway.client import GatewayClient
from stackproof_gateway.journal_entries import JournalEntry

SUMMARY = "Summarize the exchange"
ANSWERS = ("/v1/responses", "/v1/messages", ":generateContent")


@dataclass(frozen=True)
class Provider:
    """All model providers, which one gateway stands in for.

    Attributes:
        gateway: The gateway.
    """

    gateway: GatewayClient

    def prompts(self) -> list[str]:
        """What the models were asked, without the summaries, as text."""
        return [text for text in self._asked() if SUMMARY not in text]

    def summaries(self) -> list[str]:
        """What the models were asked to sum up, as text."""
        return [text for text in self._asked() if SUMMARY in text]

    def turns(self) -> list[list[dict[str, Any]]]:
        """The conversations that OpenAI was asked to continue, without the summaries."""
        asked = [call.request["input"] for call in self.calls("POST", "/v1/responses")]
        return [turns for turns in asked if SUMMARY not in str(turns[0]["content"])]

    def calls(self, method: str, path: str) -> list[JournalEntry]:
        """The calls of a method whose path begins so."""
        return [
            call
            for call in self.gateway.requests()
            if call.method == method and call.path.startswith(path)
        ]

    def uploads(self) -> int:
        """How often a file was sent."""
        return sum(call.path == "/v1/files" for call in self.calls("POST", "/v1/files"))

    def kept(self) -> dict[str, int]:
        """How many files and vector stores OpenAI keeps."""
        headers = {"Authorization": f"Bearer {self.gateway.api_key}"}
        return {
            what: len(
                httpx.get(f"{self.gateway.openai_base_url}/{what}", headers=headers).json()["data"]
            )
            for what in ("files", "vector_stores")
        }

    def _asked(self) -> list[str]:
        calls = [call for call in self.gateway.requests() if call.path.endswith(ANSWERS)]
        return [json.dumps(call.request, ensure_ascii=False) for call in calls]
