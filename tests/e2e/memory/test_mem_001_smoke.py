"""MEM-001: the server is healthy, lists its models, and they answer, over HTTP and over stdio."""

import httpx
import pytest
from tests.e2e.memory.agents import CLAUDE, GEMINI, GPT, O4, Project

pytestmark = [pytest.mark.e2e, pytest.mark.e2e_llm, pytest.mark.stack("memory", profiles=["agent"])]


def test_every_model_answers_over_http_and_over_stdio(stack, http, stdio, provider):
    for service in ("server", "runner"):
        assert httpx.get(f"{stack.url(service)}/health").json()["status"] == "ok"
    tools = {tool["name"] for tool in http.ask("tools/list")["tools"]}
    assert {GPT, O4, GEMINI, CLAUDE} < tools

    for agent in (http, stdio):
        models = agent.call("list_models")["models"]
        assert {model["provider"] for model in models} == {"openai", "gemini", "anthropic"}
        assert {model["tool"] for model in models} < tools
        for model in models:
            told = Project(stack, agent).ask("Name a colour.", session="s", tool=model["tool"])
            assert told["model"] == model["name"]
            assert told["text"]

    assert len(provider.prompts()) == 8
    assert http.call("list_sessions")["sessions"][0]["messages"] == 8
