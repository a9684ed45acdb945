"""Forms with files, which may be too large for the memory.

Source: OpenAI API reference: a file has at most 512 MB, a part of an upload 64 MB, audio 25 MB. The
text of the refusal is the one that users of the API have reported for audio, which counts in MiB.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from stackproof_gateway.bodies import LARGEST_BODY, LARGEST_FILE
from stackproof_gateway.call import Call
from stackproof_gateway.contents import Contents
from stackproof_gateway.errors import ProviderError, missing


@dataclass(frozen=True)
class FormFile:
    """A file of a form.

    Attributes:
        name: Its file name.
        contents: Its bytes.
    """

    name: str
    contents: Contents


class Form:
    """The fields and files of a form.

    Args:
        fields: Each with its name, in their order.
    """

    def __init__(self, fields: Iterable[tuple[str, str | UploadFile]]) -> None:
        self._fields = [
            (name, value if isinstance(value, str) else _file(value)) for name, value in fields
        ]

    def names(self) -> list[str]:
        """The names of all fields and files, without the brackets of a list."""
        return [name.removesuffix("[]") for name, _ in self._fields]

    def has(self, name: str) -> bool:
        """Whether there is a field or file of a name."""
        return bool(self._all(name))

    def text(self, name: str) -> str | None:
        """A field that is no file, the last one of its name; None if there is none.

        Raises:
            ProviderError: If it is a file.
        """
        found = self._all(name)
        if found and isinstance(found[-1], FormFile):
            raise ProviderError(400, f"Invalid type for '{name}': expected a string, but got a "
                                "file instead.", param=name, code="invalid_type")  # fmt: skip
        return found[-1] if found and isinstance(found[-1], str) else None

    def texts(self, name: str) -> list[str]:
        """All fields of a name that are no files."""
        return [value for value in self._all(name) if isinstance(value, str)]

    def file(self, name: str, largest: int | None = None) -> FormFile:
        """A file, of at most as many bytes as the provider takes where nothing else is said.

        Raises:
            ProviderError: If it is missing, or too large.
        """
        return self.files(name, largest)[-1]

    def files(self, name: str, largest: int | None = None) -> list[FormFile]:
        """All files of a name.

        Raises:
            ProviderError: If there is none, or one is too large.
        """
        found = [value for value in self._all(name) if isinstance(value, FormFile)]
        if not found:
            raise missing(name)
        most = largest or LARGEST_FILE
        for file in found:
            if file.contents.size > most:
                raise ProviderError(413, f"Maximum content size limit ({most}) exceeded "
                                    f"({file.contents.size} bytes read)")  # fmt: skip
        return found

    def _all(self, name: str) -> list[str | FormFile]:
        return [value for known, value in self._fields if known == name]


def _file(file: UploadFile) -> FormFile:
    return FormFile(file.filename or "upload", Contents(file.file))


async def read_form(call: Call) -> Form:
    """The form that a request is.

    Raises:
        ProviderError: If it is none.
    """
    pieces = (Contents(call.form) if call.form else Contents.of(call.data)).pieces()

    async def receive() -> dict[str, Any]:
        piece = next(pieces, b"")
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    try:
        form = await Request(call.request.scope, receive).form(max_part_size=LARGEST_BODY)
    except (HTTPException, AssertionError, KeyError, UnicodeError):
        raise ProviderError(400, "We could not parse the multipart form of your request.") from None
    return Form(form.multi_items())
