"""Providers and datasets."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, status
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from runs.api.schemas import DatasetOut, NewDataset, NewProvider, ProviderOut
from runs.api.sessions import RequestSession
from runs.models import Dataset, DatasetItem, Provider

router = APIRouter(tags=["catalog"])


@router.get("/providers")
def list_providers(session: RequestSession) -> list[ProviderOut]:
    """All providers, by name; without their keys."""
    return [
        ProviderOut.model_validate(provider)
        for provider in session.scalars(select(Provider).order_by(Provider.name))
    ]


@router.post("/providers", status_code=status.HTTP_201_CREATED)
def add_provider(new: NewProvider, session: RequestSession) -> ProviderOut:
    """Add an account with a provider, with a key of one's own."""
    provider = Provider(
        name=new.name,
        api_key=new.api_key.get_secret_value(),
        base_url=None if new.base_url is None else str(new.base_url),
    )
    session.add(provider)
    _commit(session, f"there is already a provider named {new.name!r}")
    return ProviderOut.model_validate(provider)


@router.get("/datasets")
def list_datasets(session: RequestSession) -> list[DatasetOut]:
    """All datasets, by name."""
    counted = (
        select(Dataset, func.count(DatasetItem.position))
        .join(Dataset.items)
        .group_by(Dataset.id)
        .order_by(Dataset.name)
    )
    return [_dataset_out(dataset, items) for dataset, items in session.execute(counted)]


@router.post("/datasets", status_code=status.HTTP_201_CREATED)
def add_dataset(new: NewDataset, session: RequestSession) -> DatasetOut:
    """Add a dataset; it can't be changed afterwards."""
    dataset = Dataset(
        name=new.name,
        items=[
            DatasetItem(position=position, prompt=item.prompt, expected=item.expected)
            for position, item in enumerate(new.items, start=1)
        ],
    )
    session.add(dataset)
    _commit(session, f"there is already a dataset named {new.name!r}")
    return _dataset_out(dataset, len(new.items))


def _dataset_out(dataset: Dataset, items: int) -> DatasetOut:
    return DatasetOut(id=dataset.id, name=dataset.name, items=items, created_at=dataset.created_at)


def _commit(session: RequestSession, conflict: str) -> None:
    try:
        session.commit()
    except IntegrityError as error:
        raise HTTPException(status.HTTP_409_CONFLICT, conflict) from error
