"""The plan: everything that will be started, resolved, before anything happens."""

from __future__ import annotations

from stackproof.plan.explain import explain_plan
from stackproof.plan.making import make_plan, needed_ports, shared_needs

__all__ = ["explain_plan", "make_plan", "needed_ports", "shared_needs"]
