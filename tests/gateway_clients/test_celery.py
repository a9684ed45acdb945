"""Through a queue: nothing of the test but the name of the model reaches the call."""

import celery
import litellm
import pytest
from celery.contrib.testing.worker import start_worker

HELLO = [{"role": "user", "content": "hello"}]

app = celery.Celery("runs", broker="memory://", backend="cache+memory://")
app.conf.worker_hijack_root_logger = False


@app.task
def call_model(base_url, model):
    """What a worker does: an ordinary call with its own, shared settings."""
    try:
        litellm.completion(
            model=f"openai/{model}", messages=HELLO, api_base=base_url, api_key="sk-shared"
        )
    except litellm.InternalServerError:
        return "failed"
    return "ok"


@pytest.fixture(scope="module")
def worker():
    with start_worker(app, pool="threads", concurrency=10, perform_ping_check=False) as running:
        yield running


def test_fifty_tests_at_once_each_see_their_own_failure_behind_a_queue(server, worker):
    models = [f"m-fail-once-celery{number}" for number in range(50)]
    jobs = [(model, call_model.delay(f"{server}/v1", model)) for model in models * 3]
    outcomes = {model: [] for model in models}
    for model, job in jobs:
        outcomes[model].append(job.get(timeout=60))
    assert [sorted(found) for found in outcomes.values()] == [["failed", "ok", "ok"]] * 50
