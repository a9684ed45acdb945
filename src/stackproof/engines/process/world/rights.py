"""What a service's processes may do: Docker's capabilities, and calls that succeed without effect.

Sources: capabilities(7), prctl(2), seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from collections.abc import Collection, Mapping, Sequence

from stackproof.reaper.kernel import SYSTEM_CALLS, call

_PR_SET_SECCOMP, _PR_CAPBSET_DROP = 22, 24
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64

ARCHITECTURES: Mapping[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → AUDIT_ARCH, as a seccomp filter sees it."""


def limit_capabilities(kept: Collection[int]) -> None:
    """Give up all capabilities but some, for this process and all that it becomes.

    Args:
        kept: Their numbers, as capabilities(7) has them.

    Raises:
        OSError: If the kernel refuses.
    """
    for number in range(_MOST_CAPABILITIES):
        if number not in kept:
            try:
                call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)
            except OSError as error:
                if error.errno == errno.EINVAL:  # the last one has been met
                    break
                raise
    mask = sum(1 << number for number in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0))
    sets = struct.pack("=6I", low, low, 0, high, high, 0)  # effective, permitted, inheritable
    call("capset", header, ctypes.create_string_buffer(sets, len(sets)))


def succeed_without_effect(names: Collection[str]) -> None:
    """Let system calls answer 0 from now on and do nothing, here and in all that this becomes.

    Args:
        names: Keys of `SYSTEM_CALLS`; what the machine doesn't have is left out.

    Raises:
        OSError: If the kernel refuses, or if the machine's numbers are not known.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"the system calls of {machine} are not known")
    program = seccomp_filter(machine, names)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    pointer = ctypes.create_string_buffer(head, len(head))
    call("prctl", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0, words="set seccomp filter")


_LOAD, _IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ARCHITECTURE, _NUMBER = 4, 0
_ALLOW, _ANSWER_ZERO = 0x7FFF0000, 0x00050000


def seccomp_filter(machine: str, names: Collection[str]) -> Sequence[tuple[int, int, int, int]]:
    """The filter as classic BPF: code, steps to jump if equal, if not, and a value.

    Args:
        machine: A key of `ARCHITECTURES`; calls of another architecture are let through.
        names: The calls that answer 0 without effect.
    """
    known = SYSTEM_CALLS[machine]
    numbers = sorted(known[name] for name in names if name in known)
    count = len(numbers)
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, count + 1, ARCHITECTURES[machine]),
        (_LOAD, 0, 0, _NUMBER),
        *((_IF_EQUAL, count - at, 0, number) for at, number in enumerate(numbers)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ANSWER_ZERO),
    ]
