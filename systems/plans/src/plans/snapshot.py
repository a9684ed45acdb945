"""The zip of a plan's files, and what it says of itself."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping

from plans.pipeline import METADATA_FILE, pipeline

FIRST_MOMENT = (2026, 1, 1, 0, 0, 0)
"""Time of each entry, so that the same files make the same zip."""


class NotResumable(Exception):
    """The files of a snapshot can't be used."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip of some files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, FIRST_MOMENT), files[path], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """The files of a snapshot that this version of the pipeline can go on from.

    Raises:
        NotResumable: If it can't.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = {one.filename: archive.read(one) for one in archive.infolist()}
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise NotResumable(f"the snapshot can't be read: {error}") from error
    check_version(files)
    return files


def check_version(files: Mapping[str, bytes]) -> None:
    """Make sure that files were made by this version of the pipeline.

    Raises:
        NotResumable: If they were not, or nobody knows.
    """
    if METADATA_FILE not in files:
        raise NotResumable(f"the snapshot has no {METADATA_FILE}")
    try:
        version = json.loads(files[METADATA_FILE])["pipeline_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise NotResumable(f"{METADATA_FILE} of the snapshot names no pipeline_version") from error
    if version != pipeline().version:
        raise NotResumable(
            f"the snapshot was made by pipeline version {version}, "
            f"this worker runs version {pipeline().version}"
        )
