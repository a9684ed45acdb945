"""One copy of a stack: the object that tests see, its plan, record and databases."""

from stackproof.stack.running import ServiceHandle, Stack

__all__ = ["ServiceHandle", "Stack"]
