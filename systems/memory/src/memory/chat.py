"""One question to one model, with what the session, the files and the project know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from memory import conversations, history
from memory.attachments import Attachments
from memory.database import Database
from memory.files import read_files
from memory.models import Model
from memory.prompts import Excerpt, SourceFile, Turn, user_turn
from memory.providers import Options, Providers
from memory.refusals import ToolFailedError
from memory.settings import Settings

MOST_MEMORIES = 3


@dataclass(frozen=True)
class Question:
    """What a caller asks.

    Attributes:
        instructions: The task.
        output_format: What the answer is to look like.
        session: Id of the session.
        context: Paths of files; those that do not fit are searched instead of read.
        priority: Paths of files that are always read whole.
        options: How the model is to answer.
    """

    instructions: str
    output_format: str
    session: str
    context: Sequence[str] = ()
    priority: Sequence[str] = ()
    options: Options = field(default_factory=Options)


class Chats:
    """Asks models.

    Args:
        database: The home's database.
        providers: The model providers.
        attachments: The vector stores.
        settings: Where files are, and how large a window may be.
    """

    def __init__(
        self,
        database: Database,
        providers: Providers,
        attachments: Attachments,
        settings: Settings,
    ) -> None:
        self._database, self._providers = database, providers
        self._attachments, self._settings = attachments, settings

    def ask(self, model: Model, question: Question) -> dict[str, Any]:
        """Ask a model and keep what was said.

        Args:
            model: Which model.
            question: What is asked.

        Raises:
            ToolFailedError: If a file is missing or the provider fails; then nothing is kept.
        """
        said = conversations.turns(self._database, question.session)
        turn, inlined, excerpts = self._turn(model, question, said)
        answer = self._providers.of(model).ask(model, [*said, turn], question.options)
        content: dict[str, Any] = {
            "session_id": question.session,
            "model": model.name,
            "text": answer.text,
            "usage": {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens},
            "inlined": [file.path for file in inlined],
            "searched": list(dict.fromkeys(excerpt.path for excerpt in excerpts)),
        }
        if question.options.schema is not None:
            content["structured"] = _parsed(answer.text, model)
        said_now = self._made(question, inlined, excerpts, ())  # a summary sums up no memories
        conversations.record(
            self._database, question.session, model.name, said_now, answer.text, inlined
        )
        return content

    def count(self, model: Model, paths: Sequence[str]) -> dict[str, Any]:
        """Tokens of files, by the count of a model's provider."""
        files = read_files(self._settings.files, paths)
        counts = {
            file.path: self._providers.of(model).count(model, [Turn("user", file.text)])
            for file in files
        }
        return {"model": model.name, "files": counts, "total": sum(counts.values())}

    def _turn(
        self, model: Model, question: Question, said: Sequence[Turn]
    ) -> tuple[Turn, list[SourceFile], list[Excerpt]]:
        root, session = self._settings.files, question.session
        priority = read_files(root, question.priority)
        names = {file.path for file in priority}
        context = [file for file in read_files(root, question.context) if file.path not in names]
        memories = self._memories(question)
        unsent = conversations.unsent(self._database, session, [*priority, *context])
        turn = self._made(question, unsent, (), memories)
        if not context or self._fits(model, [*said, turn]):
            return turn, unsent, []
        inlined = [file for file in unsent if file.path in names]
        excerpts = self._attachments.excerpts(session, context, question.instructions)
        return self._made(question, inlined, excerpts, memories), inlined, excerpts

    def _memories(self, question: Question) -> list[str]:
        found = history.search(self._database, question.instructions, 2 * MOST_MEMORIES)
        others = [memory for memory in found if memory["session_id"] != question.session]
        return [str(memory["text"]) for memory in others[:MOST_MEMORIES]]

    @staticmethod
    def _made(
        question: Question,
        files: Sequence[SourceFile],
        excerpts: Sequence[Excerpt],
        memories: Sequence[str],
    ) -> Turn:
        return user_turn(
            question.instructions,
            question.output_format,
            files=files,
            excerpts=excerpts,
            memories=memories,
        )

    def _fits(self, model: Model, turns: Sequence[Turn]) -> bool:
        budget = model.budget(self._settings.window_tokens)
        if sum(len(turn.text.encode()) for turn in turns) < budget:
            return True  # no token has less than a byte
        return self._providers.of(model).count(model, turns) <= budget


def _parsed(text: str, model: Model) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ToolFailedError(
            "PROVIDER_FAILED",
            f"{model.provider}: the answer of {model.name} is not the JSON that was asked for",
            provider=model.provider,
        ) from error
