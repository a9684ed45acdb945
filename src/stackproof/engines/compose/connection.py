"""Reaching a Docker Engine: where the docker command would, with one clear error where it fails."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping

import docker
import requests
from docker.context import ContextAPI
from docker.errors import DockerException

from stackproof.errors import EngineUnavailable

SECONDS = 120
"""How long one answer of the Docker Engine is waited for."""

FIRST_SECONDS = 10
"""The same for the first one, which takes no work: whoever does not give it has hung."""

CONNECTIONS = 32

REMEDY = (
    "start Docker (`sudo systemctl start docker`, or Docker Desktop), set DOCKER_HOST, or use "
    "--engine process, which needs none"
)

PASSED_ON = (
    "PATH", "HOME", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "SSH_AUTH_SOCK",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "TMPDIR",
)  # fmt: skip
"""Variables of the caller that the docker command gets."""


def address(environment: Mapping[str, str]) -> str:
    """Where the Docker Engine listens: DOCKER_HOST, else the current context of the docker command.

    Args:
        environment: The caller's environment.
    """
    if environment.get("DOCKER_HOST"):
        return environment["DOCKER_HOST"]
    try:
        host: str | None = ContextAPI.get_current_context().Host
    except DockerException:
        host = None
    return host or "unix:///var/run/docker.sock"


def connect(environment: Mapping[str, str]) -> docker.DockerClient:
    """The client of the Docker Engine that this process shares; nobody closes it.

    Args:
        environment: The caller's environment.

    Raises:
        EngineUnavailable: If there is none, or it does not answer.
    """
    where = address(environment)
    try:
        return _clients.answering(where)
    except (DockerException, requests.RequestException, OSError) as error:
        raise unavailable(where, error) from None


class _Clients:
    """One client for each Docker Engine: each keeps up to ten connections open until it ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], docker.DockerClient] = {}
        atexit.register(self.close)

    def answering(self, where: str) -> docker.DockerClient:
        """A client whose engine has just answered."""
        key = (os.getpid(), where)  # connections are of no use to a child that was forked
        with self._lock:
            known = self._known.get(key)
        if known is not None and _answers(known):
            return known
        client = docker.DockerClient(
            base_url=where, version="auto", timeout=FIRST_SECONDS, max_pool_size=CONNECTIONS
        )
        client.api.timeout = SECONDS
        with self._lock:
            now = self._known.get(key)
            if now is not known and now is not None:  # another thread was first
                client.close()
                return now
            self._known[key] = client
        if known is not None:
            known.close()
        return client

    def close(self) -> None:
        """Close the connections of this process."""
        with self._lock:
            for (pid, _), client in self._known.items():
                if pid == os.getpid():
                    client.close()
            self._known.clear()


_clients = _Clients()


def _answers(client: docker.DockerClient) -> bool:
    try:
        ping = client.api.get(f"{client.api.base_url}/_ping", timeout=FIRST_SECONDS)
    except (requests.RequestException, OSError):
        return False
    return bool(ping.ok)


def unavailable(where: str, error: Exception) -> EngineUnavailable:
    """The error that says that the Docker Engine does not answer."""
    return EngineUnavailable(
        "the Docker Engine does not answer", checked=[f"{where}: {error}"], remedy=REMEDY
    )


def require_compose(environment: Mapping[str, str]) -> str:
    """The version of Docker Compose; what one process has asked once, it need not ask again.

    Raises:
        EngineUnavailable: If the docker command or its Compose plugin is missing.
    """
    return _compose_version(tuple(sorted(docker_environment(environment).items())))


@functools.lru_cache
def _compose_version(variables: tuple[tuple[str, str], ...]) -> str:
    environment = dict(variables)
    program = shutil.which("docker", path=environment.get("PATH"))
    if program is None:
        raise EngineUnavailable(
            "there is no docker command",
            checked=[f"PATH={environment.get('PATH', '')}"],
            remedy="install Docker, or use --engine process, which needs none",
        )
    done = subprocess.run(
        [program, "compose", "version", "--short"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        raise EngineUnavailable(
            "the docker command has no Compose",
            checked=[f"{program} compose version: {done.stderr.strip()}"],
            remedy="install the Compose plugin, version 2 or newer (docker-compose-plugin)",
        )
    return done.stdout.strip()


def docker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of the docker command: what it needs of the caller's, and nothing else."""
    given = {name: environment[name] for name in PASSED_ON if name in environment}
    return {**given, "DOCKER_HOST": address(environment), "DOCKER_CLI_HINTS": "false"}
