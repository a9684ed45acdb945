"""Fills in a user and the packs of a folder: `python -m automation.seed`; again changes nothing."""

from __future__ import annotations

import asyncio
import os

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from automation import packs
from automation.database import engine, transaction
from automation.models import Trigger, User
from automation.security import hash_password
from automation.settings import settings

LOGIN = os.environ.get("SEED_LOGIN", "test@example.org")
PASSWORD = os.environ.get("SEED_PASSWORD", "a test password")
PACKS = os.environ.get("SEED_PACKS", "test_pack").split()


async def seed(session: AsyncSession) -> str:
    """Bring the user and the packs to what the settings say; returns what is there now."""
    user = {"login": LOGIN, "password_hash": hash_password(PASSWORD)}
    await session.execute(
        insert(User).values(**user).on_conflict_do_nothing(index_elements=["login"])
    )
    timer = {"ref": packs.TIMER, "pack_ref": None}
    await session.execute(insert(Trigger).values(**timer).on_conflict_do_nothing())
    for name in PACKS:
        content = packs.read(packs.packed(settings().packs / name))
        await packs.register(session, content)
    return f"user {LOGIN}, packs: {', '.join(PACKS)}"


async def main() -> None:
    """Seed in one transaction."""
    async with transaction() as session:
        told = await seed(session)
    await engine().dispose()
    print(told)  # noqa: T201 - a command line tells what it did


if __name__ == "__main__":
    asyncio.run(main())
