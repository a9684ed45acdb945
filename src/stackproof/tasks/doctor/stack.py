"""What one stack needs: its servers, its ports."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from stackproof.engines.process.images import image_of, no_steps
from stackproof.engines.process.listeners import holder_of
from stackproof.errors import StackproofError
from stackproof.lifecycle import ResolvedStack
from stackproof.reaper.leftovers import read_run
from stackproof.reaper.port_claims import is_free
from stackproof.tasks.doctor.finding import Finding


def servers(resolved: ResolvedStack) -> Iterator[Finding]:
    """The servers that stand for images (PostgreSQL, Redis, Valkey), and the way to their data."""
    if any(
        service.runtime and service.runtime.kind == "image" for service in resolved.plan.services
    ):
        yield from _closed_folders(resolved)
    for service in resolved.plan.services:
        runtime = service.runtime
        if runtime is None or runtime.kind != "image":
            continue
        try:
            found = image_of(runtime).locate(runtime, resolved.settings.cache, no_steps)
        except StackproofError as error:
            yield Finding("missing", service.name, f"{error.what}\n{error.observed}", error.remedy)
        else:
            yield Finding("ok", service.name, found.description)


def _closed_folders(resolved: ResolvedStack) -> Iterator[Finding]:
    """Folders that let nobody else pass, where root starts servers that do not run as root."""
    places = {
        "STACKPROOF_STATE_DIR": resolved.run.root,
        "STACKPROOF_CACHE_DIR": resolved.settings.cache,
    }
    for variable, folder in places.items() if os.geteuid() == 0 else ():
        for place in (folder.parent, *folder.parent.parents):
            if place.exists() and not place.stat().st_mode & stat.S_IXOTH:
                yield Finding(
                    "missing",
                    f"way to {folder}",
                    f"others can't pass through {place}; servers do not run as root",
                    f"`chmod o+x {place}`, or set {variable} to a folder that others can reach",
                )
                break


def ports(resolved: ResolvedStack) -> Iterator[Finding]:
    """Whether the published ports are free."""
    if read_run(resolved.run.path) is not None:
        return  # the ports are taken by the stack itself
    for service in resolved.plan.services:
        for endpoint in service.endpoints:
            if endpoint.port and not is_free(endpoint.port):
                yield Finding(
                    "missing",
                    f"port {endpoint.port} of {service.name}",
                    f"taken: {holder_of(endpoint.port)}",
                    "stop the other program, or change `ports` in the stack config",
                )
