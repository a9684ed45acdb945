"""Gemini's dialect with Google's agents, google-adk."""

import asyncio

from google.adk.agents import Agent
from google.adk.runners import InMemoryRunner
from google.genai import types

MODEL = "gemini-2.5-flash-lite"
BOTH = [{"name": "weather", "arguments": {"city": city}} for city in ("Oslo", "Rome")]


def weather(city: str) -> str:
    """What the weather is.

    Args:
        city: Where.
    """
    return f"21 degrees in {city}"


def test_an_agent_of_google_adk_calls_both_tools_of_a_turn(gateway, monkeypatch):
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gateway.gemini_base_url)
    monkeypatch.setenv("GEMINI_API_KEY", "sk-any")
    gateway.when(text="weather", system="brief", tool="weather", turn=1).reply(tool_calls=BOTH)
    gateway.when(tool_result="21 degrees in Rome", turn=2).reply("warm in both")
    agent = Agent(name="a", model=MODEL, instruction="Be brief.", tools=[weather])

    async def asked():
        runner = InMemoryRunner(agent=agent, app_name="tests")
        session = await runner.session_service.create_session(app_name="tests", user_id="u")
        message = types.Content(role="user", parts=[types.Part(text="the weather?")])
        events = runner.run_async(user_id="u", session_id=session.id, new_message=message)
        return [event.content.parts[-1].text async for event in events]

    assert asyncio.run(asked())[-1] == "warm in both"
    gateway.assert_all_scripts_used()
