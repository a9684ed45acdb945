"""What a model is asked: pure text, so that the same call always has the same words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SYSTEM = "You answer from the files, the excerpts and the memory that the user gives you."
SUMMARY = (
    "Summarize the exchange in two sentences for somebody who looks for it later. "
    "Keep names, numbers and decisions."
)


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation.

    Attributes:
        role: `user` or `assistant`.
        text: What was said.
    """

    role: str
    text: str


@dataclass(frozen=True)
class SourceFile:
    """A file that a call refers to.

    Attributes:
        path: Its path as the caller has given it.
        text: Its content.
        digest: Hexadecimal SHA-256 of its content.
    """

    path: str
    text: str
    digest: str


@dataclass(frozen=True)
class Excerpt:
    """A part of a file that a search has found.

    Attributes:
        path: Path of the file.
        text: The part.
        score: How well it fits, from 0 to 1.
    """

    path: str
    text: str
    score: float


def user_turn(
    instructions: str,
    output_format: str,
    *,
    files: Sequence[SourceFile] = (),
    excerpts: Sequence[Excerpt] = (),
    memories: Sequence[str] = (),
) -> Turn:
    """The user's turn with all that belongs to it.

    Args:
        instructions: What is asked.
        output_format: What the answer is to look like.
        files: Files to read whole.
        excerpts: Parts of files that are too long to be read whole.
        memories: Summaries of earlier conversations.
    """
    parts = [f"<memory>\n{memory}\n</memory>" for memory in memories]
    parts += [f'<file path="{file.path}">\n{file.text}\n</file>' for file in files]
    parts += [f'<excerpt path="{part.path}">\n{part.text}\n</excerpt>' for part in excerpts]
    parts += [instructions, f"Answer in this form: {output_format}"]
    return Turn("user", "\n\n".join(parts))


def exchange(question: str, answer: str) -> Turn:
    """What a summary is made from."""
    return Turn(
        "user", f"{SUMMARY}\n\n<question>\n{question}\n</question>\n\n<answer>\n{answer}\n</answer>"
    )
