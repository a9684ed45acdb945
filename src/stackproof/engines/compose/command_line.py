"""Running `docker compose` on the model of one run, its progress told line by line."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackproof.engines.base import Say
from stackproof.engines.compose.addresses import no_addresses
from stackproof.engines.compose.connection import connect, docker_environment
from stackproof.engines.compose.model import Model
from stackproof.engines.compose.replicas import replicated
from stackproof.engines.compose.silence import end, lines_of
from stackproof.errors import CommandFailed, ConfigError, EngineUnavailable, StackproofError
from stackproof.plan.model import Plan
from stackproof.reaper.sweep import ProcessId, descendants
from stackproof_redaction import Redactor

KEPT_LINES = 40

VALUE = "STACKPROOF_VALUE_"
"""How the variables begin that stand for secrets in a model."""

NO_ADDRESSES = re.compile(
    r"non-overlapping IPv4 address pool|address pools have been fully subnetted"
)
NO_SPACE = re.compile(r"no space left on device", re.IGNORECASE)
NO_ENGINE = re.compile(r"Cannot connect to the Docker daemon|error during connect")


class CommandLine:
    """`docker compose` for one run.

    Args:
        environment: The caller's environment.
        run_id: Identity of the run, which each of its processes carries.
        folder: The run folder; the model is kept there.
        project: Name of the copy.
        secrets: Values that must never be written or shown.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        run_id: str,
        folder: Path,
        project: str,
        secrets: Sequence[str] = (),
    ) -> None:
        self.environment = {**docker_environment(environment), "STACKPROOF_RUN": run_id}
        self.redactor = Redactor(secrets)
        self.folder = folder
        self.file = folder / "compose.json"
        self.project = project

    def resolve(self, plan: Plan) -> Model:
        """What Compose itself makes of the user's files, each replica as a service.

        Raises:
            ConfigError: If Compose refuses them.
        """
        source = plan.source
        files = [part for path in source.files for part in ("--file", str(path))]
        profiles = [part for profile in source.profiles for part in ("--profile", profile)]
        argv = ["docker", "compose", *files, *profiles, "--project-name", self.project]
        done = subprocess.run(
            [*argv, "config", "--format", "json"],
            capture_output=True, text=True, check=False,
            cwd=source.files[0].parent, env={**self.environment, **source.variables},
        )  # fmt: skip
        if done.returncode:
            raise ConfigError(
                "Docker Compose refuses the stack file",
                source=source.files[0],
                observed=self.redactor.text(done.stderr.strip()),
                remedy="`docker compose config` shows the same; correct the file",
            )
        return replicated(json.loads(done.stdout), plan.replicas)

    def read(self) -> Model:
        """The model that was kept."""
        model: Model = json.loads(self.file.read_text(encoding="utf-8"))
        return model

    def write(self, model: Model) -> None:
        """Keep the model for the commands that follow; secrets are in their environment alone."""
        values: list[str] = []
        concealed = _concealed(model, self.redactor, values)
        self.environment |= {
            f"{VALUE}{number}": value.replace("$$", "$") for number, value in enumerate(values)
        }
        self.file.touch(mode=0o600)
        self.file.write_text(json.dumps(concealed), encoding="utf-8")

    def run(self, arguments: Sequence[str], say: Say) -> None:
        """Run a command of Compose on the model.

        Args:
            arguments: Command and options.
            say: Takes each line that it writes.

        Raises:
            StackproofError: If it fails, with what it wrote last.
        """
        argv = ["docker", "compose", "--file", str(self.file), "--project-name", self.project,
                "--ansi", "never", "--progress", "plain", *arguments]  # fmt: skip
        lines: list[str] = []
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env=self.environment, cwd=self.folder,
        ) as process:  # fmt: skip
            try:
                for raw in lines_of(process, lambda: self._ensure_it_can_go_on(process)):
                    line = self.redactor.text(raw)
                    lines = [*lines[1 - KEPT_LINES :], line]
                    if line.strip():
                        say(line)
            except BaseException:
                end(process)
                raise
        if process.returncode:
            raise failure(arguments[0], process.returncode, "\n".join(lines))

    def _ensure_it_can_go_on(self, process: subprocess.Popen[bytes]) -> None:
        """Called when Compose has said nothing for long, which by itself may be right.

        Raises:
            EngineUnavailable: If the Docker Engine has hung.
        """
        main = ProcessId.of(process.pid)
        for running in [*([main] if main else []), *descendants(process.pid)]:
            if running.is_stopped():
                running.kill(signal.SIGCONT)
        connect(self.environment)


def _concealed(value: Any, redactor: Redactor, values: list[str]) -> Any:
    """A part of a model where each text that holds a secret is a variable.

    Args:
        value: The part.
        redactor: Knows the secrets.
        values: Takes the texts, as Compose has them: with each `$` doubled.
    """
    if isinstance(value, str) and redactor.spans(value.replace("$$", "$")):
        values.append(value)
        return f"${{{VALUE}{len(values) - 1}}}"
    if isinstance(value, dict):
        return {key: _concealed(inner, redactor, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_concealed(inner, redactor, values) for inner in value]
    return value


def failure(verb: str, code: int, output: str) -> StackproofError:
    """What a failed command of Compose means, as far as its words are known."""
    last = output.rpartition("\n")[2]  # Compose says the same of what it has given up, further up
    if NO_ENGINE.search(last):
        return EngineUnavailable(
            f"the Docker Engine does not answer to `docker compose {verb}`",
            checked=[output.splitlines()[-1]],
            remedy="look at its log (`journalctl -u docker`), start it again, then `invoke up`",
        )
    if NO_ADDRESSES.search(output):
        return no_addresses(output.splitlines()[-1])
    if NO_SPACE.search(output):
        return EngineUnavailable(
            "the Docker Engine has no disk space left",
            checked=[output.splitlines()[-1]],
            remedy="`docker system df` shows what takes it; `docker builder prune` and "
            "`docker image prune` free some",
        )
    how = f"failed with status {code}" if code > 0 else f"was ended by {signal.Signals(-code).name}"
    return CommandFailed(
        f"`docker compose {verb}` {how}",
        exit_code=code,
        output=output,
        remedy="the lines above are the end of what Compose said" if output.strip() else "",
    )
