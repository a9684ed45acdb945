"""Fills the database with the fixtures: `python -m runs.seed`; a second time changes nothing."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from runs.database import sessions
from runs.models import Dataset, DatasetItem, Provider

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMESPACE = uuid.UUID("6f1c2b64-2c7a-4c0e-9a55-0d8a3b6f7e11")
SEEDED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def seed(session: Session) -> str:
    """Bring providers and datasets to what the fixtures say; returns what is there now."""
    providers = _read("providers.json")
    datasets = _read("datasets.json")
    for provider in providers:
        _put_provider(session, provider)
    for dataset in datasets:
        _put_dataset(session, dataset)
    items = sum(len(dataset["items"]) for dataset in datasets)
    return f"{len(providers)} providers, {len(datasets)} datasets with {items} items"


def _read(name: str) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
    return content


def _put_provider(session: Session, provider: dict[str, Any]) -> None:
    # A key is never part of a fixture: null leaves it to the worker's environment.
    values = {"name": provider["name"], "base_url": provider["base_url"], "api_key": None}
    session.execute(
        insert(Provider)
        .values(id=_id("provider", provider["name"]), created_at=SEEDED_AT, **values)
        .on_conflict_do_update(index_elements=["name"], set_=values)
    )


def _put_dataset(session: Session, dataset: dict[str, Any]) -> None:
    name = dataset["name"]
    dataset_id = session.scalar(
        insert(Dataset)
        .values(id=_id("dataset", name), name=name, created_at=SEEDED_AT)
        .on_conflict_do_update(index_elements=["name"], set_={"name": name})
        .returning(Dataset.id)
    )
    session.execute(delete(DatasetItem).where(DatasetItem.dataset_id == dataset_id))
    session.execute(
        insert(DatasetItem),
        [
            {"dataset_id": dataset_id, "position": position, **item}
            for position, item in enumerate(dataset["items"], start=1)
        ],
    )


def _id(kind: str, name: str) -> uuid.UUID:
    return uuid.uuid5(NAMESPACE, f"{kind}/{name}")


def main() -> None:
    with sessions().begin() as session:
        print(f"seeded: {seed(session)}")  # noqa: T201 - a command that answers its user


if __name__ == "__main__":
    main()
