"""What each test module of a client needs, and the locks of the environments that it runs in."""

import importlib.metadata
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]

LOCKS = {
    "newest": ("gateway-clients-apart.txt", "gateway-clients.txt"),
    "oldest": ("gateway-clients-oldest.txt",),
}
NEEDED = {
    "test_anthropic": "anthropic",
    "test_celery": "celery",
    "test_dspy": "dspy",
    "test_gemini": "litellm",
    "test_google_adk": "google-adk",
    "test_google_genai": "google-genai",
    "test_instructor": "instructor",
    "test_langchain": "langchain-openai",
    "test_litellm": "litellm",
    "test_llama_index": "llama-index-core",
    "test_openai": "openai",
    "test_openai_agents": "openai-agents",
    "test_prices": "litellm",
    "test_pydantic_ai": "pydantic-ai-slim",
    "test_required_fields": "anthropic",
    "test_schemas": "jsonschema",
}


def lacks(module):
    """Whether this environment lacks what the module of this name needs."""
    try:
        return module in NEEDED and not importlib.metadata.version(NEEDED[module])
    except importlib.metadata.PackageNotFoundError:
        return True


def pinned(age):
    """The versions in the locks of one age; where both have one, that of the later."""
    texts = [(ROOT / "requirements" / name).read_text() for name in LOCKS[age]]
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", "\n".join(texts), re.MULTILINE))
