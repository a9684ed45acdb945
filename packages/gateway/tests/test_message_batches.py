"""Anthropic's message batches: their requests are calls as any other, answered one by one.

Shapes and states are those of the SDK's types; the texts of refusals were not compared with the
provider's own.
"""

import json

import pytest

from stackproof.waiting import wait_until


class Batches:
    """The batches of a namespace, as JSON."""

    def __init__(self, gateway, http):
        self.base, self.http = f"{gateway.openai_base_url}/messages/batches", http

    def send(self, verb, path="", **fields):
        return self.http.request(verb, self.base + path, headers={"x-api-key": "sk-any"}, **fields)

    def create(self, *requests):
        return self.send("POST", json={"requests": requests})

    def get(self, batch):
        return self.send("GET", f"/{batch['id']}").json()

    def ended(self, batch):
        def end():
            seen = self.get(batch)
            return seen if seen["processing_status"] == "ended" else None

        return wait_until(end, timeout=20, what="the batch ends")

    def results(self, batch):
        answer = self.http.get(batch["results_url"], headers={"x-api-key": "sk-any"})
        assert answer.headers["content-type"] == "application/x-jsonl"
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return {line["custom_id"]: line["result"] for line in lines}


@pytest.fixture
def batches(gateway, http):
    return Batches(gateway, http)


def request(name, text="hello", **params):
    messages = [{"role": "user", "content": text}]
    return {"custom_id": name, "params": {"model": "m", "max_tokens": 9, "messages": messages,
                                          **params}}  # fmt: skip


def test_scripts_faults_and_refusals_answer_the_requests_and_the_journal_has_them(batches, gateway):
    gateway.when(text="scripted").reply("so it is")
    made = batches.create(
        request("plain"), request("scripted", "scripted"), request("refused", max_tokens=0),
        request("fault", model="m-fail-once-x"), request("cut", model="m-cut-x"),
    ).json()  # fmt: skip
    assert (made["processing_status"], made["results_url"]) == ("in_progress", None)
    assert made["request_counts"]["processing"] == 5
    ended = batches.ended(made)
    assert ended["request_counts"] == {
        "processing": 0, "succeeded": 2, "errored": 3, "canceled": 0, "expired": 0}  # fmt: skip
    assert ended["ended_at"] > ended["created_at"]
    results = batches.results(ended)
    assert results["plain"]["message"]["content"][0]["text"] == "echo: hello"
    assert results["scripted"]["message"]["content"][0]["text"] == "so it is"
    assert results["scripted"]["message"]["usage"]["service_tier"] == "batch"
    errors = {name: result["error"]["error"]["type"] for name, result in results.items()
              if result["type"] == "errored"}  # fmt: skip
    assert errors == {"refused": "invalid_request_error", "fault": "api_error", "cut": "api_error"}
    calls = gateway.requests(path="/v1/messages")
    assert [call.status for call in calls] == [200, 200, 400, 500, 200]
    assert calls[1].script


def test_a_batch_is_canceled_while_a_script_holds_it(batches, gateway):
    gateway.when(text="held").reply("never", hold="the-test")
    made = batches.create(request("a"), request("b", "held"), request("c")).json()
    wait_until(lambda: len(gateway.requests(path="/v1/messages")) == 2, timeout=20,
               what="the second request is held")  # fmt: skip
    assert batches.get(made)["processing_status"] == "in_progress"
    assert batches.send("GET", f"/{made['id']}/results").status_code == 400
    assert batches.send("DELETE", f"/{made['id']}").status_code == 400
    canceled = batches.send("POST", f"/{made['id']}/cancel").json()
    assert canceled["processing_status"] in {"canceling", "ended"}
    ended = batches.ended(made)
    assert ended["cancel_initiated_at"]
    assert ended["request_counts"]["canceled"] == 2
    kinds = {name: result["type"] for name, result in batches.results(ended).items()}
    assert kinds == {"a": "succeeded", "b": "canceled", "c": "canceled"}
    again = batches.send("POST", f"/{made['id']}/cancel").json()
    assert again["cancel_initiated_at"] == ended["cancel_initiated_at"]


def test_batches_are_listed_by_pages_and_deleted(batches):
    made = [batches.create(request("a")).json() for _ in range(3)]
    newest = [batch["id"] for batch in reversed(made)]

    def listed(**query):
        page = batches.send("GET", params=query).json()
        return [batch["id"] for batch in page["data"]], page["has_more"]

    assert listed() == (newest, False)
    assert listed(limit=2) == (newest[:2], True)
    assert listed(limit=2, after_id=newest[0]) == (newest[1:], False)
    assert listed(limit=1, before_id=newest[2]) == (newest[1:2], True)
    for limit in ("0", "1001", "all", "00001" + "0" * 5000):
        assert batches.send("GET", params={"limit": limit}).status_code == 400
    gone = batches.ended(made[0])
    assert batches.send("DELETE", f"/{gone['id']}").json() == {
        "id": gone["id"], "type": "message_batch_deleted"}  # fmt: skip
    for verb, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/results"), ("DELETE", "")):
        answer = batches.send(verb, f"/{gone['id']}{path}")
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        (None, "requests: Field required"), ("x", "requests: Input should be a valid list"),
        ([], "requests: List should have from 1 to 100000 items"),
        ([7], "requests.0: Input should be an object"),
        ([{"params": {}}], "requests.0.custom_id: Field required"),
        ([{"custom_id": "a"}], "requests.0.params: Field required"),
        ([{"custom_id": "a", "params": []}], "requests.0.params: Input should be a valid dict"),
        ([request("a b")], "requests.0.custom_id: String should match pattern"),
        ([request("a"), request("a")], "requests.1.custom_id: Duplicate custom_id: a"),
        ([request("a", stream=True)], "requests.0.params.stream: "),
    ],
)  # fmt: skip
def test_a_batch_that_is_none_is_refused(batches, requests, problem):
    answer = batches.send("POST", json={} if requests is None else {"requests": requests})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(problem)


def test_a_fault_can_hit_the_batch_itself(batches, gateway):
    gateway.arm("fail-once", path="/v1/messages/batches")
    assert batches.create(request("a")).status_code == 500
    assert batches.create(request("a")).status_code == 200


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", ""), ("GET", "/{}"), ("POST", "/{}/cancel"), ("GET", "/{}/results"),
        ("DELETE", "/{}"),
    ],
)  # fmt: skip
def test_a_fault_can_hit_what_is_asked_of_a_batch(batches, gateway, verb, path):
    made = batches.create(request("a")).json()
    batches.ended(made)
    gateway.arm("fail-once")
    path = path.format(made["id"])
    assert [batches.send(verb, path).status_code for _ in range(2)] == [500, 200]


@pytest.mark.parametrize(
    ("model", "status", "text"),
    [
        ("claude-2.1", 404, "model: claude-2.1"),
        ("claude-opus-5", 400, '"claude-opus-5" is not supported on this API. Please use the Me'),
    ],
)
def test_legacy_completions_are_refused(gateway, http, model, status, text):
    answer = http.post(f"{gateway.openai_base_url}/complete", headers={"x-api-key": "sk-any"},
                       json={"model": model, "prompt": "x", "max_tokens_to_sample": 9})  # fmt: skip
    assert (answer.status_code, answer.json()["type"]) == (status, "error")
    assert answer.json()["error"]["message"].startswith(text)
