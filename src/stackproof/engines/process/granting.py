"""Makes the files of a run that stand for secrets and configs which are none of this machine's."""

from __future__ import annotations

from stackproof.plan.model import ServicePlan
from stackproof.plan.services.folders import granted_file
from stackproof.reaper.ownership import make_folders
from stackproof.reaper.run_folder import RunFolder

MODE = 0o444
"""As Docker Compose makes them: any user of the service can read them."""


def write_granted(service: ServicePlan, run: RunFolder) -> None:
    """Write what a service is granted; nobody else can enter the folder.

    Args:
        service: The service.
        run: Its run folder.
    """
    for mount in service.granted:
        path = granted_file(run.path, service.name, mount.target)
        make_folders(str(path.parent))
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(mount.content or "", encoding="utf-8")
        path.chmod(MODE)
