"""The mounted files of a broker, copied to where its server's user can read them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from stackproof.engines.process.images.unprivileged import give
from stackproof.errors import ConfigError
from stackproof.plan.model import ServicePlan
from stackproof.stack_file.regular_files import read_text_file, refuse_special, shown_path

CONFIG = "/etc/rabbitmq"
LOGS = "/var/log/rabbitmq"
PROGRAMS = ("/opt/rabbitmq", "/plugins", "/usr/lib/rabbitmq")


class MountedFiles:
    """What is mounted into the container of a broker.

    Args:
        service: The service.
        place: A private folder of its server.

    Raises:
        ConfigError: If something is mounted that a native server can't see, or can't be read.
    """

    def __init__(self, service: ServicePlan, place: Path) -> None:
        self._service = service
        self._place = place / "mounted"

    def copy(self, uid: int | None) -> None:
        """Copy all that is mounted, but for the run's own folders."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(mode=0o700)
        for target, source, copy in self._mounts:
            for program in PROGRAMS:
                if f"{target}/".startswith(f"{program}/"):
                    raise self._refusal(target, "the native server has its own programs")
            if source == copy:
                give(source, uid)
                continue
            try:
                _copy(source, copy)
            except OSError as error:
                shown = shown_path(Path(error.filename or source))
                raise self._refusal(target, f"{shown}: {error.strerror}") from error
        give(self._place, uid)

    @cached_property
    def _mounts(self) -> list[tuple[str, Path, Path]]:
        """Container path, its source, and where the server finds it; the innermost first."""
        found = []
        for number, (target, source) in enumerate(sorted(self._service.mounts.items())):
            is_own = source in self._service.folders
            found.append((target, source, source if is_own else self._place / str(number)))
        return found[::-1]

    def path(self, written: str) -> str | None:
        """Where a container path is on this machine; None where nothing is mounted there.

        Args:
            written: The container path, or one that is translated already.
        """
        for target, source, copy in self._mounts:
            for prefix in (target, str(source)):
                if f"{written}/".startswith(f"{prefix.rstrip('/')}/"):
                    found = Path(str(copy) + written[len(prefix) :])
                    return str(found) if found.exists() or copy == source else None
        return None

    def text(self, written: str) -> str | None:
        """The text of a mounted file; None where there is none.

        Args:
            written: Its container path.
        """
        found = self.path(written)
        return read_text_file(Path(found)) if found and Path(found).is_file() else None

    def settings(self, main: Sequence[str]) -> Iterator[str]:
        """The texts of rabbitmq.conf and conf.d, in the order that they count.

        Args:
            main: Container paths of the main file; the first that is there counts.
        """
        yield from [text for path in main if (text := self.text(path)) is not None][:1]
        folder = self.path(f"{CONFIG}/conf.d")
        for file in sorted(Path(folder).glob("*.conf")) if folder else ():
            yield read_text_file(file)
        for target in sorted(self._service.mounts):
            if folder is None and target.startswith(f"{CONFIG}/conf.d/"):
                yield self.text(target) or ""

    def _refusal(self, target: str, observed: str) -> ConfigError:
        return ConfigError(
            f"what is mounted at {target} can't be used by a native RabbitMQ",
            key=f"services.{self._service.name}.volumes",
            observed=observed,
            remedy="remove the mount, or use --engine compose",
        )


def _copy(source: Path, copy: Path) -> None:
    if not source.is_dir():
        refuse_special(source)
        shutil.copyfile(source, copy)
        return
    for folder, _, files in os.walk(source):
        target = copy / Path(folder).relative_to(source)
        target.mkdir(mode=0o700)
        for name in files:
            refuse_special(Path(folder, name))
            shutil.copyfile(Path(folder, name), target / name)
