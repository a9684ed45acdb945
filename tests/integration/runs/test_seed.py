"""The seed of the runs service is deterministic."""

import pytest

pytestmark = pytest.mark.integration

SEEDED = (
    "select d.id, d.name, d.created_at, i.position, i.prompt, i.expected from datasets d "
    "join dataset_items i on i.dataset_id = d.id where d.name in ('smoke', 'capitals') "
    "order by d.name, i.position"
)
PROVIDERS = "select id, name, base_url, created_at from providers where name = 'default'"


def test_seeding_twice_gives_the_same_rows(stack):
    before = stack.rows(SEEDED), stack.rows(PROVIDERS)

    done = stack.service("api").exec(["python", "-m", "runs.seed"])

    assert (done.exit_code, done.stdout) == (0, "seeded: 1 providers, 2 datasets with 17 items\n")
    assert (stack.rows(SEEDED), stack.rows(PROVIDERS)) == before
    assert len(before[0]) == 17
    assert len(before[1]) == 1
