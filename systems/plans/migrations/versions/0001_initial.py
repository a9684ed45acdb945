"""Initial tables.

Revision ID: 0001
Revises:
Create Date: 2026-11-21
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATES = "state IN ('pending', 'processing', 'completed', 'failed')"


def moment(name: str, *, nullable: bool = True, **options: object) -> sa.Column:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, **options)


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        moment("timestamp_created", nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(), nullable=False),
        sa.Column("progress_percentage", sa.Float(), nullable=False),
        sa.Column("progress_message", sa.Text(), nullable=False),
        sa.Column("steps_completed", sa.Integer(), nullable=False),
        sa.Column("steps_total", sa.Integer(), nullable=False),
        sa.Column("current_step", sa.Text()),
        moment("last_seen_timestamp"),
        moment("last_progress_at"),
        moment("started_at"),
        moment("ended_at"),
        sa.Column("stop_requested", sa.Boolean(), nullable=False),
        sa.Column("failure_reason", sa.Text()),
        sa.Column("failed_step", sa.Text()),
        sa.Column("error_message", sa.Text()),
        sa.Column("recoverable", sa.Boolean()),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.Text()),
        moment("lease_until"),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("restore", sa.Boolean(), nullable=False),
        sa.Column("generated_report_html", sa.Text()),
        sa.Column("run_zip_snapshot", sa.LargeBinary()),
        sa.CheckConstraint(STATES, name="ck_plans_state"),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
    )
    op.create_index("ix_plans_state_timestamp_created", "plans", ["state", "timestamp_created"])
    op.create_table(
        "plan_files",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        moment("updated_at", nullable=False, server_default=sa.func.clock_timestamp()),
        sa.PrimaryKeyConstraint("plan_id", "path", name="pk_plan_files"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_plan_files_plan_id_plans"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        moment("at", nullable=False, server_default=sa.func.clock_timestamp()),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_events_plan_id_plans"),
    )
    op.create_index("ix_events_plan_id_id", "events", ["plan_id", "id"])
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        moment("started_at", nullable=False),
        moment("heartbeat", nullable=False),
        sa.Column("current_plan", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "example_prompts",
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_example_prompts"),
    )


def downgrade() -> None:
    for table in ("example_prompts", "workers", "events", "plan_files", "plans"):
        op.drop_table(table)
