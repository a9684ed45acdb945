"""The invoke tasks: one a verb of a stack's life, each a few lines over the lifecycle.

A project mounts them in two lines of its own `tasks.py`:

    from stackproof.tasks import namespace
    ns = namespace()
"""

from __future__ import annotations

from invoke.collection import Collection

from stackproof.tasks import inspection, life, work


def namespace() -> Collection:
    """All tasks, as an Invoke collection that a `tasks.py` can extend."""
    collection = Collection()
    for module in (life, work, inspection):
        for task in module.TASKS:
            collection.add_task(task)
    return collection


ns = namespace()
"""The same, for `invoke --collection stackproof.tasks`."""
