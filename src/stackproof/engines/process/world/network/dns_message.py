"""Questions and answers of the domain name system as bytes.

Sources: RFC 1035 section 4, RFC 2308 (an empty answer), RFC 6891 (what a question may carry).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

A, PTR, AAAA, ANY = 1, 12, 28, 255
INTERNET = 1
FORM_ERROR, SERVER_FAILURE, NAME_ERROR, NOT_IMPLEMENTED = 1, 2, 3, 4
NO_ERROR = 0

HEAD = struct.Struct("!HHHHHH")
"""Identity, flags, number of questions, answers, authorities, additional records."""

RECORD = struct.Struct("!HHIH")
"""Type, class, seconds that it may be kept, bytes of its data."""

RESPONSE, RECURSION_WANTED, RECURSION_OFFERED, TRUNCATED = 0x8000, 0x0100, 0x0080, 0x0200
KEPT_FOR = 600
"""Seconds, as Docker's resolver says: the addresses of a stack do not change."""

NAME_OF_QUESTION = b"\xc0\x0c"
"""A pointer to the question's name, which always stands at the same place."""

LONGEST_NAME, LONGEST_LABEL = 255, 63
POINTER = 0xC0
MOST_POINTERS = 128
REVERSE = ".in-addr.arpa"


class MalformedError(ValueError):
    """Bytes are no message.

    Attributes:
        head: What an answer that says so begins with; None where nobody can be answered.
    """

    def __init__(self, head: bytes | None = None) -> None:
        super().__init__("the message is malformed")
        self.head = head


class Question(NamedTuple):
    """What is asked.

    Attributes:
        identity: Of the message.
        flags: Those of the message.
        name: In lower case, without the last dot.
        kind: Type of the records that are asked for.
        of_internet: Whether it is about the class of names that everybody uses.
        raw: The question's own bytes.
    """

    identity: int
    flags: int
    name: str
    kind: int
    of_internet: bool
    raw: bytes

    @property
    def asks_for_anything(self) -> bool:
        """Whether it is an ordinary query, and not an update or the like."""
        return not self.flags & 0x7800

    @property
    def reversed_address(self) -> str:
        """The IPv4 address whose name is asked for; empty if it is no such question."""
        parts = self.name.removesuffix(REVERSE).split(".")
        if self.kind not in {PTR, ANY} or not self.name.endswith(REVERSE) or len(parts) != 4:  # noqa: PLR2004
            return ""
        return ".".join(reversed(parts))


def parse(data: bytes) -> Question:
    """Read a question.

    Raises:
        MalformedError: If it is none.
    """
    if len(data) < HEAD.size:
        raise MalformedError
    identity, flags, questions, *_ = HEAD.unpack_from(data)
    if flags & RESPONSE:
        raise MalformedError
    head = HEAD.pack(identity, _answering(flags, FORM_ERROR), 0, 0, 0, 0)
    if questions != 1:
        raise MalformedError(head)
    try:
        name, at = _name(data, HEAD.size, pointers=False)
        kind, of_class = struct.unpack_from("!HH", data, at)
    except (ValueError, struct.error, IndexError):
        raise MalformedError(head) from None
    raw = data[HEAD.size : at + 4]
    return Question(identity, flags, name.lower(), kind, of_class in {INTERNET, ANY}, raw)


def answer(question: Question, *, code: int = NO_ERROR, records: Sequence[bytes] = ()) -> bytes:
    """An answer to a question."""
    flags = _answering(question.flags, code)
    head = HEAD.pack(question.identity, flags, 1, len(records), 0, 0)
    return head + question.raw + b"".join(records)


def _answering(flags: int, code: int) -> int:
    return RESPONSE | flags & 0x7800 | flags & RECURSION_WANTED | RECURSION_OFFERED | code


def address_record(address: str) -> bytes:
    """An address of the name that was asked for."""
    return NAME_OF_QUESTION + RECORD.pack(A, INTERNET, KEPT_FOR, 4) + socket.inet_aton(address)


def name_record(name: str) -> bytes:
    """The name of the address that was asked for."""
    labels = [label.encode()[:LONGEST_LABEL] for label in name.split(".")]
    data = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return NAME_OF_QUESTION + RECORD.pack(PTR, INTERNET, KEPT_FOR, len(data)) + data


def addresses_in(data: bytes) -> list[str]:
    """The IPv4 addresses that an answer names.

    Raises:
        MalformedError: If it is no answer.
    """
    try:
        _, _, questions, answers, *_ = HEAD.unpack_from(data)
        at = HEAD.size
        for _ in range(questions):
            at = _name(data, at)[1] + 4
        found = []
        for _ in range(answers):
            _, at = _name(data, at)
            kind, of_class, _, size = RECORD.unpack_from(data, at)
            at += RECORD.size
            if (kind, of_class, size) == (A, INTERNET, 4):
                found.append(socket.inet_ntoa(data[at : at + 4]))
            at += size
    except (ValueError, struct.error, IndexError, OSError):
        raise MalformedError from None
    return found


def _name(data: bytes, at: int, *, pointers: bool = True) -> tuple[str, int]:
    """A name, and the place after it; bytes that are no text stand as Latin letters."""
    labels: list[str] = []
    end, followed = 0, 0
    while size := data[at]:
        if size >= POINTER and pointers and followed < MOST_POINTERS:
            end = end or at + 2
            at = struct.unpack_from("!H", data, at)[0] & 0x3FFF
            followed += 1
            continue
        if size > LONGEST_LABEL:
            raise ValueError(size)
        labels.append(data[at + 1 : at + 1 + size].decode("latin-1"))
        at += 1 + size
    name = ".".join(labels)
    if len(name) > LONGEST_NAME:
        raise ValueError(name)
    return name, end or at + 1
