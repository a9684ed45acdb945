"""Views for operators and tests: what they show stays, whatever becomes of the tables.

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-26
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

VIEWS = {
    "executions": """
        SELECT id, action_ref, status, result, parent, enforcement, worker, workflow_task,
            retry_count, max_retries, retry_reason, original_execution, not_before,
            created_at, started_at, ended_at
        FROM public.executions""",
    "enforcements": "SELECT id, rule_ref, event_id, status, created_at FROM public.enforcements",
    "events": "SELECT id, key, trigger_ref, payload, created_at, handled_at FROM public.events",
    "inquiries": """
        SELECT id, execution, status, assigned_to, timeout_at, responded_at FROM public.inquiries""",
    "history": "SELECT id, entity_type, entity_id, status, worker, at FROM public.history",
    "workers": "SELECT name, status, slots, heartbeat FROM public.workers",
    "outbox": """
        SELECT id, exchange, routing_key, body, created_at, published_at FROM public.outbox""",
}


def upgrade() -> None:
    op.execute("CREATE SCHEMA observed")
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW observed.{name} AS {query}")


def downgrade() -> None:
    op.execute("DROP SCHEMA observed CASCADE")
