"""OpenAI: the Responses API for answers, files and vector stores for what is too long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import openai

from memory.models import Model
from memory.prompts import SYSTEM, Excerpt, SourceFile, Turn
from memory.providers import Answer, Options, sdk_errors
from memory.settings import Settings

NAME = "openai"
failed = partial(sdk_errors.failed, NAME)
told_errors = partial(sdk_errors.told_errors, NAME, openai, openai.OpenAIError)
MOST_EXCERPTS = 4
POLL_SECONDS = 0.1


def make(settings: Settings) -> OpenAi:
    """The provider, with the key and the address of this process's environment."""
    with told_errors():
        client = openai.OpenAI(
            timeout=settings.provider_timeout, max_retries=settings.provider_retries
        )
    return OpenAi(client, settings.index_patience)


class OpenAi:
    """OpenAI's models and stores.

    Args:
        client: The provider's own client.
        index_patience: Seconds that a vector store gets to index a file.
    """

    def __init__(self, client: openai.OpenAI, index_patience: float) -> None:
        self._client, self._index_patience = client, index_patience

    def ask(self, model: Model, turns: Sequence[Turn], options: Options) -> Answer:
        """Ask a model, as a stream: an answer that is cut is no answer."""
        with told_errors():
            events = self._client.responses.create(
                model=model.name, instructions=SYSTEM, input=_input(turns), stream=True,
                store=False, **_options(options),
            )  # fmt: skip
            for event in events:
                if event.type == "response.completed":
                    usage = event.response.usage
                    return Answer(
                        event.response.output_text, usage.input_tokens, usage.output_tokens
                    )
                if event.type in {"response.failed", "response.incomplete", "error"}:
                    raise failed(f"the answer has ended early: {_reason(event)}")
        raise failed("the stream was cut before the answer was complete")

    def count(self, model: Model, turns: Sequence[Turn]) -> int:
        """Tokens of a conversation, as the provider counts them."""
        with told_errors():
            counted = self._client.responses.input_tokens.count(
                model=model.name, instructions=SYSTEM, input=_input(turns)
            )
        return counted.input_tokens

    def create_store(self, name: str) -> str:
        """Make a vector store; returns its id."""
        with told_errors():
            return self._client.vector_stores.create(name=name).id

    def delete_store(self, store: str) -> None:
        """Delete a vector store; one that is gone is well."""
        with told_errors():
            self._delete(self._client.vector_stores.delete, store)

    def add_file(self, store: str, file: SourceFile, name: str) -> str:
        """Upload a file and wait until the store has indexed it; returns the file's id.

        Raises:
            ToolFailedError: If it can't be uploaded or indexed.
        """
        with told_errors():
            uploaded = self._client.files.create(
                file=(f"{name}_{file.path.replace('/', '_')}", file.text.encode()),
                purpose="assistants",
            )
            self._index(store, uploaded.id, file)
            return uploaded.id

    def delete_file(self, file: str) -> None:
        """Delete a file; one that is gone is well."""
        with told_errors():
            self._delete(self._client.files.delete, file)

    def delete_named(self, name: str) -> None:
        """Delete the files and stores that were made with a name."""
        with told_errors():
            files = [file.id for file in self._client.files.list() if name in file.filename]
            made = self._client.vector_stores.list()
            stores = [store.id for store in made if name in (store.name or "")]
        for file in files:
            self.delete_file(file)
        for store in stores:
            self.delete_store(store)

    def search(self, store: str, question: str) -> list[Excerpt]:
        """The parts of a store's files that fit a question best."""
        with told_errors():
            found = self._client.vector_stores.search(
                store, query=question, max_num_results=MOST_EXCERPTS
            )
            return [
                Excerpt(
                    str((part.attributes or {}).get("path", part.filename)),
                    "\n".join(content.text for content in part.content),
                    part.score,
                )
                for part in found
            ]

    def _index(self, store: str, file_id: str, file: SourceFile) -> None:
        files = self._client.vector_stores.files
        state = files.create(store, file_id=file_id, attributes={"path": file.path})
        deadline = time.monotonic() + self._index_patience
        while state.status == "in_progress":
            if time.monotonic() > deadline:
                raise failed(f"the vector store has not indexed {file.path} in time", "TIMEOUT")
            time.sleep(POLL_SECONDS)
            state = files.retrieve(file_id, vector_store_id=store)
        if state.status != "completed":
            why = state.last_error.message if state.last_error else state.status
            raise failed(f"the vector store can't index {file.path}: {why}")

    @staticmethod
    def _delete(delete: Any, name: str) -> None:
        try:
            delete(name)
        except openai.NotFoundError:
            return


def _input(turns: Sequence[Turn]) -> Any:
    return [{"role": turn.role, "content": turn.text} for turn in turns]


def _options(options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if options.temperature is not None:
        found["temperature"] = options.temperature
    if options.reasoning_effort is not None:
        found["reasoning"] = {"effort": options.reasoning_effort}
    if options.schema is not None:
        form = {"type": "json_schema", "name": "answer", "schema": options.schema}
        found["text"] = {"format": form}
    return found


def _reason(event: Any) -> str:
    response = getattr(event, "response", event)
    details = getattr(response, "error", None) or getattr(response, "incomplete_details", None)
    return str(getattr(details, "message", None) or getattr(details, "reason", None) or event.type)
