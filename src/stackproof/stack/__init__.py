"""One copy of a stack: the object that tests see, its plan, record and databases."""

from stackproof.stack.running import Stack
from stackproof.stack.service import ServiceHandle

__all__ = ["ServiceHandle", "Stack"]
