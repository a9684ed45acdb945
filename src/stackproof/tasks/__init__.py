"""The invoke tasks: one a verb of a stack's life, each a few lines over the lifecycle.

A project mounts them in two lines of its own `tasks.py`:

    from stackproof.tasks import namespace
    ns = namespace()
"""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.collection import Collection

from stackproof.tasks import inspection, life, work
from stackproof.tasks.shell import mount_in
from stackproof.tasks.words import TASKS


def namespace() -> Collection:
    """All tasks, as an Invoke collection that a `tasks.py` can extend.

    The folder of the calling `tasks.py` is the project's, in whatever folder `invoke` is typed.
    """
    caller = sys._getframe(1).f_globals.get("__file__", "")  # noqa: SLF001 - Invoke does not say where tasks.py is
    is_ours = Path(caller).is_relative_to(Path(__file__).parent)
    mount_in(Path(caller).resolve().parent if caller and not is_ours else None)
    collection = Collection()
    for module in (life, work, inspection):
        for task in module.TASKS:
            collection.add_task(task)
            TASKS.add(task.name)
    return collection


ns = namespace()
"""The same, for a `tasks.py` that only imports it."""
