"""Reads the YAML files of a gateway: regular ones of a bounded size, without ever waiting."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import yaml

from stackproof_gateway.strict_fields import Fields, Lines, ScriptError

LARGEST = 64 * 1024 * 1024
"""Bytes of a file; a recording of a long stream has a few hundred thousand."""

MOST_VALUES = 1_000_000
"""Values of a file that is read with its lines; aliases of aliases would make it any number."""

_DEEP = "it is nested too deeply, or an alias contains itself"


def read_text(path: Path) -> str:
    """The text of a regular file.

    Raises:
        OSError: If it is none, can't be read, is too large or is no UTF-8; `strerror` says why.
    """
    _refuse_other_kinds(path.stat().st_mode)  # before it is opened: opening a device can act on it
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        _refuse_other_kinds(os.fstat(handle).st_mode)
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(errno.EFBIG, f"it is larger than {LARGEST >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OSError(errno.EILSEQ, f"it is not UTF-8 text, from byte {error.start} on") from None


def _refuse_other_kinds(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a regular file")


def read_value(path: Path) -> Any:
    """The value of a YAML file.

    Raises:
        ScriptError: If it can't be read.
    """
    return parse_value(_text_of(path), str(path))


def parse_value(text: str, source: str) -> Any:
    """The value of a YAML text.

    Raises:
        ScriptError: If it is none.
    """
    try:
        return yaml.safe_load(text)
    except RecursionError:
        raise ScriptError(_DEEP, source) from None
    except (ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise ScriptError(str(error) or "it is not YAML", source) from None  # of a broken tag


def read_fields(path: Path) -> Fields:
    """The fields of a YAML file.

    Raises:
        ScriptError: If it can't be read, with file and line.
    """
    source, text = str(path), _text_of(path)
    value = parse_value(text, source)
    lines: Lines = {}
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is not None:
            _number_lines(node, (), lines, source)
    except RecursionError:
        raise ScriptError(_DEEP, source) from None
    return Fields(value or {}, (), lines, source)


def _text_of(path: Path) -> str:
    try:
        return read_text(path)
    except OSError as error:
        raise ScriptError(f"it can't be read: {error.strerror}", str(path)) from None
    except ValueError as error:  # a NUL in the path
        raise ScriptError(f"it can't be read: {error}", ascii(str(path))) from None


def _number_lines(node: Any, path: tuple[str | int, ...], lines: Lines, source: str) -> None:
    """Note the line of everything below a node of a YAML file.

    Raises:
        ScriptError: If a key stands twice in one object, or there are too many values.
    """
    if len(lines) > MOST_VALUES:
        raise ScriptError(f"it has more than {MOST_VALUES} values", source)
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*path, str(key.value))
            line = key.start_mark.line + 1
            if below in lines:
                raise ScriptError(f"the key `{key.value}` is there twice", f"{source}, line {line}")
            _number_lines(value, below, lines, source)
            lines[below] = line
    elif isinstance(node, yaml.SequenceNode):
        for at, value in enumerate(node.value):
            _number_lines(value, (*path, at), lines, source)
