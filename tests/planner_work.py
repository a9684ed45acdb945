"""Counts what Python itself does, by function: each instruction of its own code is a step."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

import stackproof

SOURCE = str(Path(stackproof.__file__).parent)


def steps_of(work: Callable[[], object], source: str = SOURCE) -> Counter[str]:
    """How many instructions each function of the source did, generators and inner ones by name."""
    found: Counter[str] = Counter()

    def count(code: CodeType) -> None:
        found[f"{code.co_filename.removeprefix(SOURCE)}:{code.co_qualname}"] += 1

    watched = _monitored if sys.version_info >= (3, 12) else _traced
    with watched(source, count):
        work()
    return found


@contextmanager
def _traced(source: str, count: Callable[[CodeType], None]) -> Iterator[None]:
    def local(frame: FrameType, event: str, _argument: object) -> object:
        if event == "opcode":
            count(frame.f_code)
        return local

    def called(frame: FrameType, _event: str, _argument: object) -> object:
        if not frame.f_code.co_filename.startswith(source):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield
    finally:
        sys.settrace(before)


@contextmanager
def _monitored(source: str, count: Callable[[CodeType], None]) -> Iterator[None]:
    """The same by sys.monitoring (PEP 669): opcode events of settrace are late from 3.12 on."""
    monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
    tool, events = 4, monitoring.events

    def instruction(code: CodeType, _offset: int) -> object:
        if not code.co_filename.startswith(source):
            return monitoring.DISABLE
        count(code)
        return None

    monitoring.use_tool_id(tool, "steps")
    monitoring.register_callback(tool, events.INSTRUCTION, instruction)
    monitoring.set_events(tool, events.INSTRUCTION)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
