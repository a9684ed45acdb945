import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    tasks = op.create_table(
        "task",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
    )
    op.bulk_insert(tasks, [{"title": "write tests"}])


def downgrade():
    op.drop_table("task")
