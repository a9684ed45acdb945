"""Masks files that other programs wrote, such as JUnit XML: what they are for stays readable."""

from __future__ import annotations

import io
import json
from pathlib import Path

from stackproof_redaction import MASK, Redactor

IN_NAMES = "masked"
"""What stands in the place of a secret in the name of a file."""


def mask_tree(folder: Path, redactor: Redactor) -> None:
    """Mask all files below a folder, and their names.

    Args:
        folder: The folder, whose own name stays; links are not followed.
        redactor: Masks secrets.
    """
    for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
        if not path.is_symlink() and path.is_file():
            mask_file(path, redactor)
        name = mask_name(path.name, redactor)
        if name != path.name:
            path.rename(_free(path.with_name(name)))


def mask_name(name: str, redactor: Redactor) -> str:
    """The name of a file, or what one is made of, without secrets."""
    return redactor.text(name).replace(MASK, IN_NAMES)


def mask_file(path: Path, redactor: Redactor) -> None:
    """Mask a file; XML and JSON are masked in their values, so that they stay what they are."""
    before = path.read_bytes().decode("utf-8", "surrogateescape")
    if not redactor.spans(before):
        return
    path.write_bytes(_masked(path.suffix, before, redactor).encode("utf-8", "surrogateescape"))


def _masked(suffix: str, text: str, redactor: Redactor) -> str:
    if "\0" in text:
        return redactor.fill(text)
    try:
        if suffix == ".xml":
            return _masked_xml(text, redactor)
        if suffix == ".json":
            indent = 2 if "\n" in text.strip() else None
            return json.dumps(redactor.value(json.loads(text)), indent=indent) + "\n"
        if suffix in {".jsonl", ".ndjson"}:
            values = [redactor.value(json.loads(line)) for line in text.splitlines() if line]
            return "".join(f"{json.dumps(value)}\n" for value in values)
    except (ValueError, RecursionError, SyntaxError):
        pass  # it is not what its name says
    return redactor.text(text)


def _masked_xml(text: str, redactor: Redactor) -> str:
    import xml.etree.ElementTree as ET  # most runs mask no XML, and it takes milliseconds to load

    tree = ET.ElementTree(ET.fromstring(text))  # noqa: S314 - this run's own file
    for element in tree.iter():
        element.text, element.tail = (
            redactor.text(text) if text else text for text in (element.text, element.tail)
        )
        for key, value in element.attrib.items():
            element.set(key, redactor.text(value))
    written = io.BytesIO()
    tree.write(written, encoding="utf-8", xml_declaration=True)
    return written.getvalue().decode()


def _free(path: Path) -> Path:
    number = 2
    free = path
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free
