"""The plan: everything that will be started, resolved, before anything happens.

`planner.make_plan` takes these steps:

1. `services/`: what stack file, Dockerfile and settings say of each service (drafts); `python/`:
   the version of Python and the packages of those that are Python projects.
2. `addressing/`: the container ports, and the port of this machine for each.
3. `sharing/`: the servers that other runs have started.
4. `mounts/`: what each mount becomes, so that only the run's own data are written to.
5. `services/`: command, environment, folders and probe of each service (resolving).
6. `commands`, `gateway`, `services/secrets`: migrate and seed, the provider's token, secrets.
7. `addressing/guard`: refuses what leads outside the stack, before anything starts.
"""

from __future__ import annotations

from stackproof.plan.explain import explain_plan
from stackproof.plan.planner import make_plan, needed_ports, shared_needs

__all__ = ["explain_plan", "make_plan", "needed_ports", "shared_needs"]
