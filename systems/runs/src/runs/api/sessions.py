"""A database session for each request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.orm import Session

from runs.database import sessions


def _session() -> Iterator[Session]:
    with sessions()() as session:
        yield session


RequestSession = Annotated[Session, Depends(_session)]
