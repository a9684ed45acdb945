"""Packs as zips, with wheels made for them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures" / "packs"


def zipped(name: str, wheels: dict[str, bytes] | None = None) -> bytes:
    """A pack of the fixtures, with these wheels in its folder `wheels`."""
    folder = FIXTURES / name
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files.update({f"wheels/{file}": content for file, content in (wheels or {}).items()})
    return _zip(files)


def wheel(name: str, version: str, source: str) -> dict[str, bytes]:
    """A wheel of one module."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    content = _zip({path: text.encode() for path, text in files.items()})
    return {f"{name}-{version}-py3-none-any.whl": content}


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()
