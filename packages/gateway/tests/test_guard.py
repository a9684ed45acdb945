"""Who is let in: pages in a browser are not, and what reads, steers or spends needs the token."""

import json

import pytest
from packages.gateway.tests.bare_app import BEARER, BODY, CHAT, HOST, WITH_TOKEN, App, Spending
from packages.gateway.tests.rig import KEY, TOKEN
from packages.gateway.tests.test_hosts_and_paths import NEVER

from stackproof_gateway.client import GatewayClient


@pytest.fixture(scope="module")
def fake():
    """A gateway that answers by itself."""
    made = App()
    yield made
    made.runner.close()


# Host


@pytest.mark.parametrize("host", NEVER)
@pytest.mark.parametrize("path", [CHAT, b"/_gateway/journal", b"/health", b"/v1/models"])
def test_a_name_that_is_not_the_gateways_own_gets_nothing(spending, host, path):
    method = "POST" if path == CHAT else "GET"
    before = len(spending.sent)
    status, answer = spending.send(method, path, [("host", host), BEARER, WITH_TOKEN])
    assert status == 421
    assert "--allowed-host" in json.dumps(answer)
    assert len(spending.sent) == before


@pytest.mark.parametrize("hosts", [[], [HOST, ("host", "evil.example")], [HOST, HOST]])
def test_a_request_has_one_host(spending, hosts):
    status, answer = spending.send("POST", CHAT, [*hosts, BEARER, WITH_TOKEN])
    assert (status, answer["error"]["code"]) == (400, "host_refused")
    assert spending.sent == [] or spending.sent[-1].url.path == "/v1/chat/completions"


def test_in_a_container_it_answers_to_names_of_containers_and_to_its_aliases():
    app = App(host="0.0.0.0", allowed_hosts=("api.openai.com",))
    for host in ("fake-openai:4000", "172.18.0.5:4000", "api.openai.com"):
        assert app.send("GET", b"/health", [("host", host)])[0] == 200
    assert app.send("GET", b"/health", [("host", "evil.example")])[0] == 421
    app.runner.close()


# Origin

PAGES = [
    ("origin", "http://evil.example"),
    ("origin", "null"),
    ("origin", ""),
    ("origin", "http://localhost:4000"),
    ("origin", "http://localhost:3000"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CHAT),
        ("GET", b"/_gateway/journal"),
        ("GET", b"/v1/models"),
        ("OPTIONS", CHAT),
        ("POST", b"/_gateway/t/x/reset"),
        ("GET", b"/health"),
    ],
)
def test_a_page_in_a_browser_neither_spends_nor_reads_nor_steers(spending, page, method, path):
    before = len(spending.sent)
    status, answer = spending.send(method, path, [HOST, BEARER, WITH_TOKEN, page])
    assert status == 403
    assert "--allowed-origin" in json.dumps(answer)
    assert len(spending.sent) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
def test_a_simple_request_of_a_page_is_refused_as_any_other(spending, kind):
    before = len(spending.sent)
    headers = [HOST, ("content-type", kind), ("origin", "http://evil.example"), BEARER, WITH_TOKEN]
    assert spending.send("POST", CHAT, headers)[0] == 403
    assert len(spending.sent) == before


def test_a_page_that_is_allowed_may_ask_and_is_told_so():
    app = App(allowed_origins=("http://localhost:3000",))
    page = ("origin", "http://localhost:3000")
    asked = [HOST, page, ("access-control-request-method", "POST")]
    assert app.send("OPTIONS", CHAT, asked)[0] == 200
    assert app.send("POST", CHAT, [HOST, page, BEARER], BODY)[0] == 200
    assert app.send("POST", CHAT, [HOST, ("origin", "http://localhost:3001"), BEARER])[0] == 403
    assert app.send("GET", b"/_gateway/journal", [HOST, page])[0] == 401
    app.runner.close()


def test_a_websocket_is_closed(fake):
    sent = []

    async def send(message):
        sent.append(message)

    fake.runner.run(
        fake.app({"type": "websocket", "path": "/v1/realtime", "headers": []}, None, send)
    )
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Token

CONTROL = [
    ("GET", b"/_gateway/namespaces"),
    ("GET", b"/_gateway/journal"),
    ("GET", b"/_gateway/bill"),
    ("GET", b"/_gateway/recordings"),
    ("GET", b"/_gateway/t/x/journal"),
    ("GET", b"/_gateway/t/x/scripts"),
    ("POST", b"/_gateway/t/x/scripts"),
    ("POST", b"/_gateway/t/x/faults"),
    ("POST", b"/_gateway/t/x/reset"),
    ("POST", b"/_gateway/t/x/budget"),
    ("POST", b"/_gateway/t/x/clock"),
    ("GET", b"/_gateway"),
    ("GET", b"/_gateway/nothing"),
]
WRONG = [
    [],
    [("x-gateway-token", "")],
    [("x-gateway-token", TOKEN[:-1])],
    [("x-gateway-token", TOKEN + "x")],
    [("authorization", "Bearer ")],
    [("authorization", f"Basic {TOKEN}")],
    [("x-api-key", "sk-any")],
    [("cookie", f"token={TOKEN}")],
    [BEARER],
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
@pytest.mark.parametrize("headers", WRONG)
def test_the_control_interface_needs_the_token(fake, method, path, headers):
    status, answer = fake.send(method, path, [HOST, *headers], b"{}")
    assert status == 401
    assert "token" in json.loads(answer)["error"]


@pytest.mark.parametrize("headers", WRONG)
@pytest.mark.parametrize("mode", ["live", "record"])
def test_a_call_that_costs_money_needs_the_token(tmp_path, mode, headers):
    made = Spending(tmp_path, cassettes=tmp_path) if mode == "record" else Spending(tmp_path)
    status, answer = made.send("POST", CHAT, [HOST, *headers])
    assert (status, made.sent) == (401, [])
    assert answer["error"]["code"] in {"token_required", "wrong_token"}
    made.app.runner.close()


CARRIED = [
    (b"", [WITH_TOKEN, BEARER]),
    (b"", [("authorization", f"Bearer {TOKEN}")]),
    (b"", [("x-api-key", TOKEN)]),
    (b"/k/" + TOKEN.encode(), [BEARER]),
    (b"/k/" + TOKEN.encode() + b"/t/mine", [BEARER]),
]


@pytest.mark.parametrize(("front", "headers"), CARRIED)
def test_a_client_carries_the_token_in_its_address_its_key_or_a_header(spending, front, headers):
    before = len(spending.sent)
    assert spending.send("POST", front + CHAT, [HOST, *headers])[0] == 200
    assert len(spending.sent) == before + 1
    request = spending.sent[-1]
    assert request.url == "https://api.openai.com/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert TOKEN not in repr([request.url, request.headers.raw])


@pytest.mark.parametrize("path", [b"/k/wrong/v1/models", b"/k//v1/models", b"/k/", b"/k/x"])
def test_an_address_with_an_old_token_is_refused_in_every_mode(fake, path):
    status, answer = fake.send("GET", path, [HOST, BEARER])
    assert status in {400, 401}
    assert "token" in json.loads(answer)["error"]["message"] or b"//" in path


def test_without_the_token_the_fake_and_the_health_check_answer(fake):
    assert fake.send("POST", CHAT, [HOST, BEARER], BODY)[0] == 200
    assert fake.send("GET", b"/health", [HOST])[0] == 200


def test_the_health_check_of_a_gateway_that_costs_money_needs_no_token(spending):
    assert spending.send("GET", b"/health", [HOST]) == (200, {"status": "ok", "llm": "live"})


@pytest.mark.parametrize(
    ("path", "headers", "fields"),
    [
        (b"/v1/chat/completions", [], {"message", "type", "param", "code"}),
        (b"/v1/messages", [], {"type", "message"}),
        (b"/v1/models", [("anthropic-version", "2023-06-01")], {"type", "message"}),
        (b"/t/x/v1beta/models/m:generateContent", [], {"code", "message", "status"}),
        (b"/v1/models", [("x-goog-api-key", "k")], {"code", "message", "status"}),
    ],
)
def test_a_refusal_has_the_form_of_the_providers_errors(spending, path, headers, fields):
    _, answer = spending.send("POST", path, [HOST, *headers])
    assert set(answer["error"]) == fields


@pytest.mark.parametrize("carried", ["header", "query"])
def test_a_client_of_gemini_carries_the_token_as_its_key(spending, carried):
    path = b"/v1beta/models/m:generateContent"
    if carried == "query":
        status, _ = spending.send("POST", path, [HOST], query=b"key=" + TOKEN.encode())
    else:
        status, _ = spending.send("POST", path, [HOST, ("x-goog-api-key", TOKEN)])
    assert status not in (401, 421)


def test_a_refused_request_is_told_in_a_line_without_the_token(fake):
    lines = []
    fake.app.state.say = lines.append
    fake.send("GET", f"/k/{TOKEN}x/v1/models".encode(), [HOST])
    fake.send("GET", f"/k/{TOKEN}/v1/../x".encode(), [HOST])
    fake.send("GET", f"/{TOKEN}/../v1".encode(), [HOST])
    fake.app.state.say = None
    assert len(lines) == 3
    assert lines[0] == "refused GET /k/***/v1/models 401 wrong_token\n"
    assert TOKEN not in "".join(lines)


def test_a_client_without_the_token_is_told_what_is_missing(server):
    client = GatewayClient(server, "x")
    with pytest.raises(PermissionError, match="GATEWAY_TOKEN"):
        client.requests()
    client.close()
    with_address = GatewayClient(f"{server}/k/{TOKEN}", "x")
    with_address.reset()
    assert with_address.requests() == []
    with_address.close()
