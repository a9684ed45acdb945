"""A pipeline of 60 steps that hands ids on completes, and is replayed a day later."""

import contextlib
import json
import uuid
from datetime import date

import openai
import pytest
from packages.gateway.tests.rig import MODEL, TOKEN, Rig

from stackproof_gateway.client import GatewayClient

STEPS = 60
ITEMS = {"type": "array", "items": {
    "type": "object", "required": ["task_id", "title"],
    "properties": {"task_id": {"type": "string", "format": "uuid"}, "title": {"type": "string"}},
}}  # fmt: skip
PLAN = {"type": "object", "required": ["tasks"], "properties": {"tasks": ITEMS}}
DONE = {"type": "function", "function": {"name": "done", "parameters": {
    "type": "object", "required": ["task_id"], "properties": {"task_id": {"type": "string"}},
}}}  # fmt: skip
DAY, NEXT_DAY = date(2026, 11, 26), date(2026, 11, 27)


class Pipeline:
    """Each step asks with what the step before was answered; a product would do the same.

    Args:
        client: The client of a provider.
        run: Tells this run's ids from another's.
        day: Today.
        folder: Where it works.
        changed: The step that asks something else.
    """

    def __init__(self, client, run, day, folder, changed=None):
        self.client, self.day, self.folder, self.changed = client, day, folder, changed
        self.task = str(uuid.uuid5(uuid.NAMESPACE_URL, run))
        self.first, self.store, self.done = self.task, None, 0

    def run(self):
        kinds = (self.plan, self.call_tool, self.answer_tool, self.embed, self.search, self.respond)
        for step in range(STEPS):
            self.step = step
            kinds[step % len(kinds)]()
            self.done += 1

    def prompt(self, text):
        what = "something new" if self.step == self.changed else text
        return (
            f"Today is {self.day:%A, %B %d, %Y}. Work in {self.folder}/round-{self.step // 6}.\n"
            f"Step {self.step + 1}: {what}\ntask_id: {self.task}"
        )

    def chat(self, messages, **fields):
        choice = self.client.chat.completions.create(
            model=MODEL, max_tokens=200, messages=messages, **fields
        ).choices[0]
        return choice.message

    def plan(self):
        schema = {"name": "plan", "schema": PLAN}
        asked = [{"role": "user", "content": self.prompt("plan the work")}]
        form = {"type": "json_schema", "json_schema": schema}
        (task,) = json.loads(self.chat(asked, response_format=form).content)["tasks"]
        self.task = task["task_id"]

    def call_tool(self):
        self.said = [{"role": "user", "content": self.prompt("do it")}]
        forced = {"type": "function", "function": {"name": "done"}}
        self.call = self.chat(self.said, tools=[DONE], tool_choice=forced).tool_calls[0]
        self.task = json.loads(self.call.function.arguments)["task_id"]

    def answer_tool(self):
        called = {"role": "assistant", "tool_calls": [self.call.model_dump()]}
        result = {"role": "tool", "tool_call_id": self.call.id,
                  "content": self.prompt(f"wrote {self.folder}/out-{self.step}.md")}  # fmt: skip
        assert self.chat([*self.said, called, result], tools=[DONE]).content

    def embed(self):
        text = self.prompt("remember")
        found = self.client.embeddings.create(model="text-embedding-3-small", input=text)
        assert len(found.data[0].embedding) == 1536

    def search(self):
        if self.store is None:
            self.store = self.client.vector_stores.create(name="memory").id
        content = self.prompt("what was done").encode()
        file = self.client.files.create(file=("done.md", content), purpose="assistants")
        self.client.vector_stores.files.create(vector_store_id=self.store, file_id=file.id)
        found = self.client.vector_stores.search(self.store, query=self.prompt("what was done"))
        assert any(self.task in hit.content[0].text for hit in found.data)

    def respond(self):
        text = f"Reply with exactly: {self.task}"
        self.task = self.client.responses.create(
            model=MODEL, input=f"{self.prompt('repeat it')}\n{text}", max_output_tokens=50
        ).output_text


@pytest.fixture(scope="module")
def recorded(server, serve, tmp_path_factory):
    """A recording that was made the day before, of a provider that is played by a gateway."""
    with (
        contextlib.closing(GatewayClient(server, "pipeline", TOKEN)) as provider,
        contextlib.ExitStack() as stack,
    ):
        rig = Rig(server, provider, tmp_path_factory.mktemp("pipeline"), serve, stack)
        rig.then = Pipeline(rig.client(rig.gateway("record")), "then", DAY, "/tmp/tmpab12cd34")
        rig.then.run()
        yield rig


def test_it_completes_and_its_last_step_knows_the_id_of_the_first(recorded):
    then = recorded.then
    assert (then.done, then.task) == (STEPS, then.first)
    assert all(entry.source == "fake" for entry in recorded.provider.requests())


def test_it_is_replayed_on_the_next_day_with_other_ids_in_another_folder(recorded):
    gateway = recorded.gateway("replay")
    gateway.advance_clock(24 * 60 * 60)
    asked = len(recorded.provider.requests())
    pipeline = Pipeline(recorded.client(gateway), "now", NEXT_DAY, "/tmp/tmpzz99yy88")
    pipeline.run()
    assert (pipeline.done, pipeline.task) == (STEPS, pipeline.first)
    assert gateway.missed_recordings() == []
    assert len(recorded.provider.requests()) == asked
    assert all(entry.source == "replay" for entry in gateway.requests())


def test_a_step_that_asks_something_new_is_named(recorded):
    pipeline = Pipeline(
        recorded.client(recorded.gateway("replay"), max_retries=0), "now", NEXT_DAY,
        "/tmp/tmpzz99yy88", changed=12,
    )  # fmt: skip
    with pytest.raises(openai.NotFoundError, match="was not recorded") as failed:
        pipeline.run()
    assert pipeline.done == 12
    assert "Step 13: something new" in str(failed.value)
    assert "Step 13: plan the work" in str(failed.value)
