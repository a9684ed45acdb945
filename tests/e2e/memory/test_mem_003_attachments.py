"""MEM-003: what is too long is searched at the provider, and nothing of it stays there."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from tests.e2e.memory.agents import PATIENCE
from tests.e2e.memory.texts import LONG

pytestmark = pytest.mark.e2e

PIE = "Our apple pie is baked with cinnamon and brown sugar."
CAR = "The delivery van needs new winter tyres every second year."
QUESTION = "What is the apple pie baked with?"


@pytest.mark.e2e_llm
@pytest.mark.stack("memory")
def test_the_answer_comes_from_the_right_file_and_nothing_is_left(stack, project, provider):
    project.write(pie=PIE, van=CAR, filler=LONG)

    told = project.ask(QUESTION, session="pies", context=["."])
    assert told["inlined"] == []
    assert told["searched"][0] == "pie.md"
    assert PIE in provider.prompts()[-1]

    project.wait_for_summaries("pies", 1)  # the next question is asked with it
    project.write(pie=None)
    told = project.ask("What does the delivery van need?", session="vans", context=["."])
    assert "van.md" in told["searched"]
    assert "pie.md" not in told["searched"]

    stack.wait_until(
        provider.kept,
        until=lambda kept: kept == {"files": 0, "vector_stores": 0},
        timeout=60,
        what="nothing is kept at the provider",
    )


@pytest.mark.stack("memory", env={"server": {"STORE_IDLE_SECONDS": "300"}})
def test_unchanged_files_are_not_sent_again_and_changed_ones_are(project, provider):
    project.write(pie=PIE, van=CAR, filler=LONG)
    project.ask(QUESTION, session="s", context=["."])
    assert provider.uploads() == 3

    project.ask("And the van?", session="s", context=["."])
    assert provider.uploads() == 3

    project.write(pie=f"{PIE} And with a little salt.")
    project.ask(QUESTION, session="s", context=["."])
    assert provider.uploads() == 4
    assert len(provider.calls("DELETE", "/v1/files")) == 1

    project.ask("Sure?", session="s", context=["."])
    assert provider.uploads() == 4


@pytest.mark.stack("memory")
def test_nothing_is_left_of_a_file_whose_server_died_while_it_was_indexed(stack, project, provider):
    project.write(pie=PIE, filler=LONG)
    provider.gateway.slow_indexing(10_000)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(project.ask, QUESTION, session="s", context=["."])
        stack.wait_until(
            lambda: provider.kept()["files"] == 1,
            timeout=PATIENCE,
            retry_on=(httpx.TransportError,),
            what="a file is being indexed",
        )
        stack.service("server").kill()
        with pytest.raises(httpx.TransportError):
            asked.result()
    assert provider.kept()["files"] == 1
    stack.service("server").start()
    stack.wait_until(
        lambda: provider.kept()["files"] == 0,
        timeout=PATIENCE,
        retry_on=(httpx.TransportError,),
        what="the file was deleted",
    )


@pytest.mark.stack("memory")
def test_short_files_are_read_whole_and_once(project, provider):
    project.write(pie=PIE)
    assert project.ask(QUESTION, session="s", context=["pie.md"])["inlined"] == ["pie.md"]
    assert project.ask("Sure?", session="s", context=["pie.md"])["inlined"] == []
    told = [turn["content"] for turn in provider.turns()[-1] if turn["role"] == "user"]
    assert "".join(told).count(PIE) == 1
    assert provider.uploads() == 0
