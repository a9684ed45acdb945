"""The names of users and groups that the rooms of a built image have."""

from __future__ import annotations

from stackproof.plan.world.accounts import Accounts


def users_of(accounts: Accounts) -> dict[str, int]:
    """Names in /etc/passwd and /etc/group, with their numbers; those of groups count there."""
    users = {name: account.uid for name, account in accounts.users.items()}
    groups = {name: number for name, number in accounts.groups.items() if name not in users}
    usual = {"root", "nobody", "daemon", "bin", "sys", "mail", "www-data", "backup"}
    return {name: number for name, number in {**users, **groups}.items() if name not in usual}
