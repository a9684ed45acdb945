"""What the gateway does not have, and what pages may not ask, is refused in the right words."""

import json

import httpx
import pytest
from packages.gateway.tests.bare_app import BEARER, BODY, CHAT, HOST, App

from stackproof_gateway.settings import options, parser

PAGE = "http://localhost:3000"


def call(gateway, method, path, **headers):
    url = f"{gateway.base_url}/t/{gateway.namespace}{path}"
    return httpx.request(method, url, headers={"authorization": "Bearer sk-any", **headers})


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "told"),
    [
        ("POST", "/v1/fine_tuning/jobs", 404, None, "Invalid URL (POST /v1/fine_tuning/jobs)"),
        ("POST", "/chat/completions", 404, "unknown_url", "ends with /v1; this one lacks it."),
        ("POST", "/v2/chat", 404, "unknown_url", "Unknown request URL: POST /v2/chat. Please"),
        ("PUT", "/v1/chat/completions", 405, None, "Not allowed to PUT on /v1/chat/completions"),
    ],
)
def test_a_call_to_an_unknown_endpoint_is_refused_and_in_the_journal(
    gateway, method, path, status, code, told
):
    answer = call(gateway, method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert told in answer.json()["error"]["message"]
    (entry,) = gateway.requests()
    assert (entry.method, entry.path, entry.status) == (method, path, status)
    assert entry.reply == answer.json()["error"]["message"]


def test_a_method_that_an_endpoint_does_not_take_is_told_with_those_that_it_does(gateway):
    assert call(gateway, "PUT", "/v1/files").headers["allow"] == "GET, HEAD, POST"


def test_the_refusal_is_written_in_the_dialect_of_the_client(gateway):
    headers = {"anthropic-version": "2023-06-01", "x-api-key": "any"}
    answer = call(gateway, "POST", "/v1/nothing", **headers).json()
    assert (answer["type"], answer["error"]["type"]) == ("error", "not_found_error")
    assert gateway.requests()[0].status == 404


def test_a_health_check_elsewhere_is_no_call(server, gateway):
    before = httpx.get(f"{server}/t/{gateway.namespace}/status")
    assert before.status_code == 404
    assert gateway.requests() == []


@pytest.mark.parametrize("llm", ["replay", "live"])
def test_other_modes_have_them_in_the_journal_as_well(rig, llm):
    gateway = rig.gateway(llm, cassettes=rig.folder)
    key = {"x-gateway-token": "token-of-the-tests"}
    for path in ("/v1/fine_tuning/jobs", "/chat/completions"):
        assert call(gateway, "POST", path, **key).status_code == 404
    assert [entry.path for entry in gateway.requests()] == [
        "/v1/fine_tuning/jobs", "/chat/completions"]  # fmt: skip


# Pages


@pytest.mark.parametrize("page", [[], [("origin", PAGE)]])
def test_a_preflight_is_told_that_cors_is_off_and_how_to_turn_it_on(page):
    app = App()
    status, answer = app.send("OPTIONS", CHAT, [HOST, *page])
    app.runner.close()
    assert status == 403
    message = json.loads(answer)["error"]["message"]
    assert message.startswith("CORS is off")
    assert "--allowed-origin ORIGIN (GATEWAY_ALLOWED_ORIGINS)" in message


def test_a_preflight_of_another_page_is_told_that_cors_is_on_but_not_for_it():
    app = App(allowed_origins=(PAGE,))
    status, answer = app.send("OPTIONS", CHAT, [HOST, ("origin", "http://evil.example")])
    app.runner.close()
    assert (status, json.loads(answer)["error"]["code"]) == (403, "origin_refused")
    assert json.loads(answer)["error"]["message"].startswith("CORS is on, but not for")


def test_a_page_that_is_allowed_gets_a_right_preflight_and_reads_answers_and_refusals(serve):
    with serve(allowed_origins=(PAGE,), llm="fake") as url, httpx.Client(base_url=url) as http:
        asked = {"origin": PAGE, "access-control-request-method": "POST",
                 "access-control-request-headers": "authorization, x-stainless-os"}  # fmt: skip
        preflight = http.options("/v1/chat/completions", headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == PAGE
        assert "x-stainless-os" in preflight.headers["access-control-allow-headers"]
        assert "POST" in preflight.headers["access-control-allow-methods"]
        page = {"origin": PAGE}
        answers = {
            200: http.post(
                "/v1/chat/completions", content=BODY, headers={**page, **dict([BEARER])}
            ),
            404: http.post("/v1/nope", headers={**page, **dict([BEARER])}),
            401: http.get("/_gateway/journal", headers=page),
        }
        for status, answer in answers.items():
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert "origin" in answer.headers["vary"].lower()
        assert "x-request-id" in answers[200].headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--cors-origin", PAGE], {}),
        (["--allowed-origin", PAGE], {}),
        ([], {"GATEWAY_CORS_ORIGIN": PAGE}),
        ([], {"GATEWAY_ALLOWED_ORIGINS": PAGE}),
    ],
)
def test_the_setting_has_the_name_of_the_thing_and_of_what_it_allows(arguments, environment):
    given = parser(environment).parse_args(arguments)
    assert options(given, environment).allowed_origins == (PAGE,)


def test_origins_under_both_names_add_up():
    environment = {"GATEWAY_CORS_ORIGIN": "http://a", "GATEWAY_ALLOWED_ORIGINS": "http://b"}
    given = parser(environment).parse_args(["--cors-origin", "http://c"])
    assert options(given, environment).allowed_origins == ("http://b", "http://a", "http://c")
