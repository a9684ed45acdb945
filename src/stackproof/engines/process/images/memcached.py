"""Runs `memcached` images natively."""

from __future__ import annotations

from pathlib import Path

from stackproof.engines.process.images.command import server_arguments
from stackproof.engines.process.images.model import Launch, Runner, Server
from stackproof.engines.process.images.packaged import Program, WithoutData, library_path
from stackproof.engines.process.images.unprivileged import EVERYBODY, private_folder, server_user
from stackproof.plan.model import ServicePlan
from stackproof.reaper.run_folder import RunFolder

PROGRAM = Program("memcached", "memcached", "usr/bin", ("memcached",), "memcached")


class Memcached(WithoutData):
    """The `memcached` image without its container; its data are in memory alone."""

    product = "memcached"
    program = PROGRAM

    def prepare(
        self, service: ServicePlan, server: Server, run: RunFolder, cache: Path, runner: Runner
    ) -> Launch:
        """Let it listen where the service is to be reached; later options win, so ours are last."""
        uid = server_user()
        root = PROGRAM.root(server, cache, runner)
        host, port = service.listens
        given = server_arguments(service.argv, service.environment, (PROGRAM.name,))
        listens = ("-l", host, "-p", str(port), "-U", "0")
        return Launch(
            argv=(str(server.bindir / PROGRAM.name), *given, *listens),
            env=library_path(root),
            cwd=private_folder(run, service.name, uid),
            uid=uid,
            notices=(EVERYBODY,) if service.world is None else (),
        )
