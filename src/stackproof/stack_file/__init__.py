"""The stack file: an ordinary Compose file, read with Docker Compose's semantics."""

from __future__ import annotations

from stackproof.stack_file.loader import load_stack_file
from stackproof.stack_file.model import StackFile
from stackproof.stack_file.order import leave_out, select_services, start_order
from stackproof.stack_file.reading.scalars import parse_duration, parse_size

__all__ = [
    "StackFile",
    "leave_out",
    "load_stack_file",
    "parse_duration",
    "parse_size",
    "select_services",
    "start_order",
]
