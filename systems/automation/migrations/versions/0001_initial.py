"""Initial tables.

Revision ID: 0001
Revises:
Create Date: 2026-11-26
"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "history",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_history")),
    )
    op.create_index(
        "ix_history_entity", "history", ["entity_type", "entity_id", "id"], unique=False
    )
    op.create_table(
        "keys",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("encrypted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_keys")),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("notification_type", sa.Text(), nullable=False),
        sa.Column("entity_type", sa.Text(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("position", name=op.f("uq_notifications_position")),
    )
    op.create_index(
        "ix_notifications_open",
        "notifications",
        ["id"],
        unique=False,
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("exchange", sa.Text(), nullable=False),
        sa.Column("routing_key", sa.Text(), nullable=False),
        sa.Column(
            "body", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_open",
        "outbox",
        ["id"],
        unique=False,
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_table(
        "packs",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("dependencies", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_packs")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("login", name=op.f("uq_users_login")),
    )
    op.create_table(
        "workers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("slots", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workers")),
    )
    op.create_table(
        "actions",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("pack_ref", sa.Text(), nullable=False),
        sa.Column("runner", sa.Text(), nullable=False),
        sa.Column("entry_point", sa.Text(), nullable=True),
        sa.Column(
            "schema", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("tasks", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("secrets", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("limit", sa.BigInteger(), nullable=True),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("max_retries", sa.BigInteger(), nullable=False),
        sa.Column("backoff", sa.Double(), nullable=False),
        sa.Column("timeout", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pack_ref"], ["packs.ref"], name=op.f("fk_actions_pack_ref_packs")
        ),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_actions")),
    )
    op.create_table(
        "triggers",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("pack_ref", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pack_ref"], ["packs.ref"], name=op.f("fk_triggers_pack_ref_packs")
        ),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_triggers")),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("trigger_ref", sa.Text(), nullable=False),
        sa.Column(
            "trigger_params",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "payload", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["trigger_ref"], ["triggers.ref"], name=op.f("fk_events_trigger_ref_triggers")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("key", name=op.f("uq_events_key")),
    )
    op.create_index(
        "ix_events_open",
        "events",
        ["id"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NULL"),
    )
    op.create_table(
        "rules",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("pack_ref", sa.Text(), nullable=False),
        sa.Column("trigger_ref", sa.Text(), nullable=False),
        sa.Column("action_ref", sa.Text(), nullable=False),
        sa.Column(
            "conditions", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "action_params",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column(
            "trigger_params",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["action_ref"], ["actions.ref"], name=op.f("fk_rules_action_ref_actions")
        ),
        sa.ForeignKeyConstraint(["pack_ref"], ["packs.ref"], name=op.f("fk_rules_pack_ref_packs")),
        sa.ForeignKeyConstraint(
            ["trigger_ref"], ["triggers.ref"], name=op.f("fk_rules_trigger_ref_triggers")
        ),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_rules")),
    )
    op.create_table(
        "sensors",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("pack_ref", sa.Text(), nullable=False),
        sa.Column("trigger_ref", sa.Text(), nullable=False),
        sa.Column("entry_point", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('starting', 'running', 'stopped', 'failed', 'backoff')",
            name=op.f("ck_sensors_status"),
        ),
        sa.ForeignKeyConstraint(
            ["pack_ref"], ["packs.ref"], name=op.f("fk_sensors_pack_ref_packs")
        ),
        sa.ForeignKeyConstraint(
            ["trigger_ref"], ["triggers.ref"], name=op.f("fk_sensors_trigger_ref_triggers")
        ),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_sensors")),
    )
    op.create_table(
        "enforcements",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("rule_ref", sa.Text(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('created', 'processed', 'disabled')", name=op.f("ck_enforcements_status")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["events.id"], name=op.f("fk_enforcements_event_id_events")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enforcements")),
        sa.UniqueConstraint("rule_ref", "event_id", name=op.f("uq_enforcements_rule_ref_event_id")),
    )
    op.create_table(
        "executions",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("action_ref", sa.Text(), nullable=False),
        sa.Column(
            "parameters", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column(
            "env_vars", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("parent", sa.BigInteger(), nullable=True),
        sa.Column("enforcement", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "result", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column(
            "context", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False
        ),
        sa.Column("workflow_task", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.BigInteger(), nullable=False),
        sa.Column("max_retries", sa.BigInteger(), nullable=False),
        sa.Column("retry_reason", sa.Text(), nullable=True),
        sa.Column("original_execution", sa.BigInteger(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("worker_session", sa.Text(), nullable=True),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('requested', 'scheduling', 'scheduled', 'running', 'completed', 'failed', 'canceling', 'cancelled', 'timeout', 'abandoned')",
            name=op.f("ck_executions_status"),
        ),
        sa.ForeignKeyConstraint(
            ["action_ref"], ["actions.ref"], name=op.f("fk_executions_action_ref_actions")
        ),
        sa.ForeignKeyConstraint(
            ["enforcement"],
            ["enforcements.id"],
            name=op.f("fk_executions_enforcement_enforcements"),
        ),
        sa.ForeignKeyConstraint(
            ["original_execution"],
            ["executions.id"],
            name=op.f("fk_executions_original_execution_executions"),
        ),
        sa.ForeignKeyConstraint(
            ["parent"], ["executions.id"], name=op.f("fk_executions_parent_executions")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_executions_user_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executions")),
        sa.UniqueConstraint(
            "enforcement", "retry_count", name=op.f("uq_executions_enforcement_retry_count")
        ),
        sa.UniqueConstraint(
            "original_execution",
            "retry_count",
            name=op.f("uq_executions_original_execution_retry_count"),
        ),
        sa.UniqueConstraint(
            "parent",
            "workflow_task",
            "retry_count",
            name=op.f("uq_executions_parent_workflow_task_retry_count"),
        ),
    )
    op.create_index("ix_executions_status", "executions", ["status"], unique=False)
    op.create_table(
        "inquiries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("execution", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column(
            "response_schema",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=False,
        ),
        sa.Column("assigned_to", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column(
            "response", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
        sa.Column("timeout_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("responded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'responded', 'timeout', 'cancelled')",
            name=op.f("ck_inquiries_status"),
        ),
        sa.ForeignKeyConstraint(
            ["assigned_to"], ["users.id"], name=op.f("fk_inquiries_assigned_to_users")
        ),
        sa.ForeignKeyConstraint(
            ["execution"], ["executions.id"], name=op.f("fk_inquiries_execution_executions")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inquiries")),
        sa.UniqueConstraint("execution", name=op.f("uq_inquiries_execution")),
    )


def downgrade() -> None:
    op.drop_table("inquiries")
    op.drop_index("ix_executions_status", table_name="executions")
    op.drop_table("executions")
    op.drop_table("enforcements")
    op.drop_table("sensors")
    op.drop_table("rules")
    op.drop_index(
        "ix_events_open", table_name="events", postgresql_where=sa.text("handled_at IS NULL")
    )
    op.drop_table("events")
    op.drop_table("triggers")
    op.drop_table("actions")
    op.drop_table("workers")
    op.drop_table("users")
    op.drop_table("packs")
    op.drop_index(
        "ix_outbox_open", table_name="outbox", postgresql_where=sa.text("published_at IS NULL")
    )
    op.drop_table("outbox")
    op.drop_index(
        "ix_notifications_open",
        table_name="notifications",
        postgresql_where=sa.text("position IS NULL"),
    )
    op.drop_table("notifications")
    op.drop_table("keys")
    op.drop_index("ix_history_entity", table_name="history")
    op.drop_table("history")
