"""Counts what Python itself does, by function: each instruction of its own code is a step."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import stackproof

SOURCE = str(Path(stackproof.__file__).parent)


def steps_of(work: Callable[[], object], source: str = SOURCE) -> Counter[str]:
    """How many instructions each function of the source did, generators and inner ones by name."""
    found: Counter[str] = Counter()

    def local(frame: FrameType, event: str, _argument: object) -> object:
        if event == "opcode":
            code = frame.f_code
            found[f"{code.co_filename.removeprefix(SOURCE)}:{code.co_qualname}"] += 1
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
        work()
    finally:
        sys.settrace(before)
    return found
