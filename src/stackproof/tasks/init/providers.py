"""A stand-in for the model provider of services that have the SDK of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from stackproof.tasks.init.source_trees import SourceTree

PORT = 4000

_OPENAI = {"OPENAI_BASE_URL": "http://{}:4000/v1", "OPENAI_API_KEY": "test"}
_ANTHROPIC = {"ANTHROPIC_BASE_URL": "http://{}:4000", "ANTHROPIC_API_KEY": "test"}
_GEMINI = {"GOOGLE_GEMINI_BASE_URL": "http://{}:4000", "GEMINI_API_KEY": "test"}

SDKS: Mapping[str, Mapping[str, str]] = {
    "openai": _OPENAI,
    "litellm": {**_OPENAI, "GEMINI_API_BASE": "http://{}:4000/v1beta", "GEMINI_API_KEY": "test"},
    "anthropic": _ANTHROPIC,
    "@anthropic-ai/sdk": _ANTHROPIC,
    "google-genai": _GEMINI,
    "google-adk": _GEMINI,
    "@google/genai": _GEMINI,
    "@ai-sdk/openai": _OPENAI,
    "@langchain/openai": _OPENAI,
    "langchain-openai": _OPENAI,
    "langchain-anthropic": _ANTHROPIC,
    "llama-index-llms-openai": _OPENAI,
}
"""Packages that call a model provider, with the variables that lead them to another address."""

_CHECK = f"import urllib.request as u; u.urlopen('http://localhost:{PORT}/health')"


def provider_environment(trees: Sequence[SourceTree], name: str) -> dict[str, dict[str, str]]:
    """What services with an SDK get so that they ask the stand-in, by service.

    A stack whose services ask another one of it already has a stand-in of its own.

    Args:
        trees: The services that are on.
        name: Name of the stand-in.
    """
    found: dict[str, dict[str, str]] = {}
    known = {tree.name for tree in trees}
    if any(known & set(_asked(tree.service.environment)) for tree in trees):
        return found
    for tree in trees:
        for package, variables in SDKS.items():
            if package in tree.packages:
                led = {key: value.format(name) for key, value in variables.items()}
                found[tree.name] = {**found.get(tree.name, {}), **led}
    return found


def _asked(environment: Mapping[str, str]) -> Iterator[str]:
    """The hosts that a service asks in the place of a provider's own."""
    for variable, value in environment.items():
        if variable.endswith(("_BASE_URL", "_API_BASE", "_HOST")) and "://" in value:
            with suppress(ValueError):
                yield urlsplit(value).hostname or ""


def provider_name(taken: Sequence[str]) -> str:
    """A name for the stand-in that no service has."""
    return next(name for name in ("llm", "fake-llm", "stackproof-llm") if name not in taken)


def provider_service() -> dict[str, Any]:
    """The stand-in as a service of the overlay."""
    return {
        "build": {
            "dockerfile_inline": "FROM python:3.12-slim\n"
            "RUN pip install --no-cache-dir stackproof-gateway\n"
        },
        "command": ["python", "-m", "stackproof_gateway", "--host", "0.0.0.0", "--port", str(PORT)],  # noqa: S104 - inside its container
        "environment": {"GATEWAY_LLM": "${GATEWAY_LLM:-fake}"},
        "expose": [str(PORT)],
        "healthcheck": {"test": ["CMD", "python", "-c", _CHECK], "interval": "5s"},
        "x-stackproof": {"environment_of": "stackproof"},
    }
