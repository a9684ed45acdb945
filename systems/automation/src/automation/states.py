"""The states of executions, enforcements, inquiries, sensors and workers, and what follows what."""

from __future__ import annotations

from enum import StrEnum


class ExecutionState(StrEnum):
    REQUESTED = "requested"
    SCHEDULING = "scheduling"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELING = "canceling"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"


class EnforcementState(StrEnum):
    CREATED = "created"
    PROCESSED = "processed"
    DISABLED = "disabled"


class InquiryState(StrEnum):
    PENDING = "pending"
    RESPONDED = "responded"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


class SensorState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    BACKOFF = "backoff"


class WorkerState(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    BUSY = "busy"
    ERROR = "error"


_E = ExecutionState
ENDED = frozenset({_E.COMPLETED, _E.FAILED, _E.CANCELLED, _E.TIMEOUT, _E.ABANDONED})
WAITING = frozenset({_E.REQUESTED, _E.SCHEDULING, _E.SCHEDULED})
ACTIVE = frozenset({_E.SCHEDULING, _E.SCHEDULED, _E.RUNNING, _E.CANCELING})
RETRIED = frozenset({_E.FAILED, _E.TIMEOUT, _E.ABANDONED})
"""Ends after which an execution is done again, as long as it has retries left."""

NEXT: dict[ExecutionState, frozenset[ExecutionState]] = {
    _E.REQUESTED: frozenset({_E.SCHEDULING, _E.CANCELLED, _E.FAILED}),
    _E.SCHEDULING: frozenset({_E.SCHEDULED, _E.RUNNING}),
    # Back to scheduling where the worker is lost before it has begun.
    _E.SCHEDULED: frozenset({_E.RUNNING, _E.SCHEDULING, _E.CANCELLED, _E.FAILED}),
    _E.RUNNING: frozenset({_E.COMPLETED, _E.FAILED, _E.CANCELING, _E.TIMEOUT, _E.ABANDONED}),
    # What has ended before the request to cancel arrived has ended so.
    _E.CANCELING: frozenset({_E.CANCELLED, _E.COMPLETED, _E.FAILED, _E.TIMEOUT}),
    **{end: frozenset() for end in ENDED},
}
