"""What goes in and out of the API. Keys of providers only go in."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from runs.models import RunState

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class Input(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class NewProvider(Input):
    name: Name
    api_key: SecretStr = Field(min_length=1)
    base_url: AnyHttpUrl | None = None


class ProviderOut(Output):
    id: uuid.UUID
    name: str
    base_url: str | None
    created_at: datetime


class NewDatasetItem(Input):
    prompt: Text
    expected: Text


class NewDataset(Input):
    name: Name
    items: list[NewDatasetItem] = Field(min_length=1, max_length=1000)


class DatasetOut(Output):
    id: uuid.UUID
    name: str
    items: int
    created_at: datetime


class NewRun(Input):
    dataset: Name
    model: Name
    provider: Name


class Totals(Output):
    items: int
    done: int
    correct: int


class ErrorOut(Output):
    type: str
    status: int | None
    message: str
    attempt: int


class RunItemOut(Output):
    position: int
    prompt: str
    expected: str
    answer: str | None
    correct: bool | None
    attempt: int | None


class RunSummary(Output):
    id: uuid.UUID
    dataset: str
    model: str
    provider: str
    state: RunState
    attempts: int
    max_attempts: int
    score: float | None
    error: ErrorOut | None
    retry_at: datetime | None
    retry_overdue: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunOut(RunSummary):
    totals: Totals
    items: list[RunItemOut]
