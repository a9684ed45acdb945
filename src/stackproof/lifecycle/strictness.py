"""`isolation.strict`: a stack is only started where its isolation receipt finds nothing open."""

from __future__ import annotations

from stackproof.errors import StartFailed
from stackproof.stack.resolved import ResolvedStack
from stackproof.stack.running import Stack

KEY = ("isolation", "strict")


def refuse_weak_world(resolved: ResolvedStack) -> None:
    """Refuse a stack that can't pass, before anything of it is started.

    Raises:
        ConfigError: If it is to be strict and has no private world.
    """
    settings, plan = resolved.settings, resolved.plan
    if not settings.isolation.strict or (plan.engine, plan.world) == ("process", "private"):
        return
    notice, remedy = resolved.world.notice, "write `engine: process` and `world: private`"
    observed = f"the {plan.engine} engine runs it"
    if plan.engine == "process":
        observed = notice or "`world` is `host`"
        remedy = "allow it as said" if notice else remedy
    raise settings.refusal(
        KEY,
        "a strict stack needs a private world of the process engine",
        observed=observed,
        remedy=f"{remedy}, or remove `isolation.strict`; `invoke doctor --isolation` shows what is "
        "open",
    )


def require_enforced(resolved: ResolvedStack, stack: Stack, *, stays: bool = False) -> None:
    """Take the isolation receipt of a strict stack, and let nothing pass but `enforced`.

    Args:
        resolved: What was started.
        stack: The stack, whose services are well.
        stays: Whether it is left up if it does not pass.

    Raises:
        StartFailed: If anything is open or untestable, with all of it.
    """
    if not resolved.settings.isolation.strict:
        return
    receipt = stack.running.receipt()
    weak = receipt.weak if receipt is not None else ()
    if receipt is None or not weak:
        return
    rows = [row for row in receipt.rows(weak) if row[0] != "enforced"]
    choices = [*receipt.remedies(), "remove `isolation.strict`"]
    end = f"; {stack.plan.project} is still up, `invoke down` ends it" if stays else ""
    raise StartFailed(
        f"{stack.plan.project} is not as isolated as `isolation.strict` demands "
        f"({resolved.settings.source(KEY)})",
        observed="\n".join(f"{verdict}: {what}: {seen}" for verdict, what, seen in rows),
        remedy="; or ".join(choices) + end,
    )
