"""What a provider gets of what clients send, and what is kept of it."""

import re
from decimal import Decimal
from pathlib import Path

import httpx
import openai
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packages.gateway.tests.bare_app import BEARER, CHAT, HOST, WITH_TOKEN
from packages.gateway.tests.rig import KEY, TOKEN, ask
from packages.gateway.tests.test_hosts_and_paths import HOSTILE, NEVER

from stackproof_gateway.errors import ProviderError
from stackproof_gateway.provider.cassettes import Cassette, RecordedReply
from stackproof_gateway.provider.drift import Checking
from stackproof_gateway.provider.endpoints import is_passed_on
from stackproof_gateway.provider.prices import PriceTable
from stackproof_gateway.provider.requests import RecordedRequest

RELAXED = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("raw", HOSTILE)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_no_path_leaves_the_providers_endpoints(spending, method, raw):
    before = len(spending.sent)
    status, answer = spending.send(method, raw, [HOST, BEARER, WITH_TOKEN])
    assert (status, answer["error"]["code"]) == (400, "path_refused")
    assert len(spending.sent) == before


PIECES = st.sampled_from(
    [
        b"/",
        b"//",
        b"v1",
        b"/v1",
        b"/v1",
        b"/v1",
        b"..",
        b".",
        b"%2e",
        b"%2E",
        b"%252e",
        b"%2f",
        b"%5c",
        b"\\",
        b";",
        b"%3f",
        b"?",
        b"%23",
        b"#",
        b"%00",
        b"%0d%0a",
        b"admin",
        b"models",
        b"/models",
        b"files",
        b"t",
        b"/t/x",
        b"f",
        b"k",
        b"/k/" + TOKEN.encode(),
        b"chat",
        b"completions",
        b"%c0%ae",
        b"\xef\xbc\x8e",
        b"\xe2\x80\xa5",
        b"%",
        b"@",
        b":80",
        b"http://evil.example",
        b" ",
        b"%20",
        b"responses",
        b"vector_stores",
    ]
)


@RELAXED
@given(
    st.lists(PIECES | st.binary(max_size=3), max_size=9).map(b"".join),
    st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
)
@example(b"/v1/../admin", "GET")
@example(b"/v1/models/%2e%2e/%2e%2e/admin", "GET")
@example(b"/v1/models/x%3Fy", "GET")
def test_whatever_the_path_only_known_endpoints_are_asked(spending, path, method):
    spending.sent.clear()
    status, _ = spending.send(method, path, [HOST, BEARER, WITH_TOKEN])
    assert status < 500
    for request in spending.sent:
        assert request.url.host == "api.openai.com"
        assert request.url.query == b""
        assert is_passed_on(request.method, request.url.raw_path.decode())


HOSTS = st.sampled_from([*NEVER, "localhost", "127.0.0.1:4000"]) | st.text(max_size=30)
ORIGINS = st.none() | st.sampled_from(["null", "http://localhost:4000", "http://evil.example", ""])
SITES = st.sampled_from([None, "cross-site", "same-site", "same-origin", "none"])


@RELAXED
@given(HOSTS, ORIGINS, SITES)
@example("127.0.0.1:4000", None, "none")
def test_whatever_host_and_origin_nothing_of_a_page_is_passed_on(spending, host, origin, site):
    spending.sent.clear()
    headers = [("origin", origin)] * (origin is not None)
    headers += [("sec-fetch-site", site)] * (site is not None)
    status, _ = spending.send("POST", CHAT, [("host", host), BEARER, WITH_TOKEN, *headers])
    assert (status == 200) == (len(spending.sent) == 1)
    if spending.sent:
        assert re.fullmatch(r"(.+[.])?localhost(:[0-9]+)?|127[.].+", host.lower())
        assert origin is None
        assert site in {None, "same-origin", "none"}


def test_of_a_clients_headers_the_provider_gets_those_of_its_api_and_no_other(spending):
    spending.sent.clear()
    foreign = [
        ("cookie", "session=mine"),
        ("forwarded", "host=evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-for", "10.0.0.1"),
        ("proxy-authorization", "Basic x"),
        ("x-test-id", "my-test"),
        ("openai-organization", "org-mine"),
        ("openai-project", "proj-mine"),
        ("x-api-key", "sk-mine"),
        ("x-http-method-override", "DELETE"),
        ("referer", "http://here"),
        ("x-original-url", "/admin"),
    ]
    api = [("openai-beta", "assistants=v2"), ("x-stainless-lang", "python"), ("accept", "text/x")]
    spending.send("POST", CHAT, [HOST, BEARER, WITH_TOKEN, *foreign, *api])
    (request,) = spending.sent
    names = {name.decode().lower() for name, _ in request.headers.raw}
    assert not names & {name for name, _ in foreign}
    assert {name for name, _ in api} <= names
    assert request.headers["host"] == "api.openai.com"
    assert request.headers.get_list("authorization") == [f"Bearer {KEY}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_does_not_follow_a_redirect(spending, status):
    spending.sent.clear()
    spending.answer = httpx.Response(status, headers={"location": "http://evil.example/v1"})
    try:
        got, answer = spending.send("POST", CHAT, [HOST, BEARER, WITH_TOKEN])
    finally:
        spending.answer = httpx.Response(200, json={})
    assert (got, answer["error"]["code"]) == (502, "provider_redirected")
    assert [message.url.host for message in spending.sent] == ["api.openai.com"]


# What is kept


def test_the_journal_shows_neither_key_nor_token(rig):
    gateway = rig.gateway("live")
    client = rig.client(gateway)
    ask(client, f"{KEY} and {TOKEN}", extra_body={"user": TOKEN, "metadata": {KEY: TOKEN}})
    for shift in range(0, 30, 6):  # so that the cut goes through one
        ask(client, "x" * shift + f"{KEY} " * 700)
    with pytest.raises(openai.NotFoundError):
        client.get(f"/{KEY}/{TOKEN}", cast_to=object)
    for path in ("journal", "t/test/journal", "namespaces", "t/test/verdict", "bill"):
        shown = httpx.get(f"{gateway.base_url}/_gateway/{path}", headers=dict([WITH_TOKEN])).text
        assert KEY[:8] not in shown
        assert TOKEN not in shown


def test_recordings_hold_neither_key_nor_token(rig):
    ask(rig.client(rig.gateway("record")), f"{KEY} and {TOKEN}")
    (path,) = rig.cassettes.glob("*.yaml")
    assert TOKEN not in path.read_text() + path.name
    assert KEY not in path.read_text() + path.name


@pytest.mark.parametrize(
    "path", ["/v1/../admin", "/v1/models/../../admin", "/v1/organization/users"]
)
def test_a_recording_that_was_tampered_with_leads_nowhere_else_in_a_check(spending, path):
    spending.sent.clear()
    checking = Checking(
        spending.app.app.state.mode._forwarder,
        PriceTable(endpoints={"GET *": Decimal(0)}),
        spending.app.app.state.mode.purse.budget,
    )
    cassette = Cassette(Path("x.yaml"), RecordedRequest("GET", path), [RecordedReply(200, {}, b"")])
    with pytest.raises(ProviderError, match="nothing was sent"):
        spending.app.runner.run(checking.check(cassette))
    assert spending.sent == []
