"""Errors of building a room or starting a program in it, passed from a child process to its parent.

The child writes one JSON object to a pipe; a pipe that closes empty says that all went well.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

TRY_IT = "try it"
"""Step of a trial that could not even begin."""


class RoomError(OSError):
    """A room that can't be had.

    Attributes:
        step: What was being done.
        words: What was observed.
    """

    def __init__(self, number: int, step: str, words: str) -> None:
        super().__init__(number, f"{step}: {words}")
        self.step = step
        self.words = words


@contextmanager
def step(name: str) -> Iterator[None]:
    """Name what is being done, for the error that says it failed.

    Raises:
        RoomError: In place of an OSError.
    """
    try:
        yield
    except RoomError:
        raise
    except OSError as error:
        words = error.strerror or str(error)
        path = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        raise RoomError(error.errno or errno.EIO, name, path + words) from error


def tell(pipe: int, error: BaseException) -> None:
    """Pass an error on to the parent."""
    told: dict[str, object] = {"kind": "step", "errno": errno.EIO, "words": repr(error)}
    if isinstance(error, RoomError):
        told = {"kind": "step", "errno": error.errno, "step": error.step, "words": error.words}
    elif isinstance(error, OSError):
        path = None if error.filename is None else os.fsdecode(error.filename)
        words = error.strerror or str(error)
        told = {"kind": "program", "errno": error.errno, "words": words, "path": path}
    os.write(pipe, json.dumps(told).encode()[:4096])


def hear(pipe: int, *, otherwise: str) -> None:
    """Wait until the child has said what failed, or has closed the pipe.

    Args:
        pipe: The end to read from; it is closed.
        otherwise: Name of the step of an error that names none.

    Raises:
        RoomError: If a step failed.
        OSError: If the program can't be started, as `subprocess` raises it.
    """
    with os.fdopen(pipe, "rb") as answers:
        text = answers.read()
    if text:
        raise error_of(text, otherwise=otherwise)


def error_of(text: bytes, *, otherwise: str) -> OSError:
    """The error that a child has told.

    Args:
        text: What it has written.
        otherwise: Name of the step of an error that names none.
    """
    told = json.loads(text)
    if told["kind"] == "program":
        return OSError(told["errno"], told["words"], told["path"])
    return RoomError(told["errno"], told.get("step", otherwise), told["words"])
