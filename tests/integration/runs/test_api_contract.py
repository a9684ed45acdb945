"""What the API of the runs service refuses, and what it never tells."""

import pytest

pytestmark = pytest.mark.integration


ITEM = {"prompt": "a", "expected": "b"}


@pytest.mark.parametrize(
    ("path", "content", "status", "reason"),
    [
        ("/runs", {"dataset": "smoke", "model": "m"}, 422, "Field required"),
        ("/runs", {"dataset": "smoke", "model": " ", "provider": "default"}, 422, "at least 1"),
        ("/runs", {"dataset": "no", "model": "m", "provider": "default"}, 404, "no dataset named"),
        ("/runs", {"dataset": "smoke", "model": "m", "provider": "none"}, 404, "no provider named"),
        ("/datasets", {"name": "empty", "items": []}, 422, "at least 1"),
        ("/providers", {"name": "p", "api_key": "k", "base_url": "x"}, 422, "valid URL"),
        ("/providers", {"name": "default", "api_key": "k"}, 409, "already"),
        ("/datasets", {"name": "smoke", "items": [ITEM]}, 409, "already"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_reason(tenant, path, content, status, reason):
    answer = tenant.http.post(path, json=content)

    assert answer.status_code == status
    assert reason in answer.text


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "9" * 30])
def test_a_last_event_id_that_is_none_is_refused(tenant, cursor):
    run_id = tenant.start("smoke", tenant.model("smoke"))

    answer = tenant.http.get(f"/runs/{run_id}/events", headers={"Last-Event-ID": cursor})

    assert answer.status_code == 400
    assert "not the id of an event" in answer.text


def test_an_unknown_run_is_not_found(tenant):
    unknown = "00000000-0000-0000-0000-000000000000"

    assert tenant.http.get(f"/runs/{unknown}").status_code == 404
    assert tenant.http.get(f"/runs/{unknown}/events").status_code == 404


def test_the_key_of_a_provider_is_never_told(gateway, tenant):
    model = tenant.model("smoke")
    run_id = tenant.start("smoke", model)
    tenant.wait_for(run_id, "completed")

    told = [tenant.http.get(path).text for path in ("/providers", "/runs", f"/runs/{run_id}")]

    assert tenant.provider in told[0]
    assert not any(gateway.api_key in text for text in told)


def test_runs_are_listed_newest_first_and_by_state(tenant):
    ids = [tenant.start("smoke", tenant.model("smoke")) for _ in range(2)]
    for run_id in ids:
        tenant.wait_for(run_id, "completed")

    listed = tenant.http.get("/runs", params={"state": "completed"}).json()

    mine = [run["id"] for run in listed if run["provider"] == tenant.provider]
    assert mine == ids[::-1]
    assert {run["state"] for run in listed} == {"completed"}
