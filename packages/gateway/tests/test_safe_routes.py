"""Each route of the gateway, whoever has added it: who gets in, and what the journal shows.

The routes are read from the application, so that a new one is tested as soon as it is there.
"""

import asyncio
import json

import pytest
from packages.gateway.tests.bare_app import BEARER, HOST, WITH_TOKEN, App
from packages.gateway.tests.rig import KEY, TOKEN
from starlette.routing import Match, Mount

from stackproof_gateway.app import create_app
from stackproof_gateway.direct import Shortcut
from stackproof_gateway.options import Options
from stackproof_gateway.provider.endpoints import is_passed_on
from stackproof_gateway.provider_routes import provider_routes

FAULT = "slow-1ms"  # one that lets a call go on
OPEN = {"/health", "/healthz"}
NOT_PASSED_ON = {
    ("DELETE", "/v1/models/x"),  # a model of the account
    ("GET", "/v1/images/x"),  # an address of the gateway itself
    ("POST", "/v1/complete"),  # refused by the provider as well
}


def routes(app):
    """Method and path of each route, with `x` for each part that varies but the fault."""
    found = []
    for route in app.routes:
        below = route.routes if isinstance(route, Mount) else [route]
        front = route.path if isinstance(route, Mount) else ""
        for leaf in below:
            path = front + "".join(
                "x" if part.startswith("{") else part
                for part in _parts(leaf.path.replace("{fault}", FAULT))
            )
            found += [(verb, path) for verb in sorted(leaf.methods - {"HEAD"})]
    return sorted(set(found))


def _parts(path):
    while "{" in path:
        before, _, rest = path.partition("{")
        yield before
        yield "{"
        path = rest.partition("}")[2]
    yield path


FAKE = routes(create_app(Options(token=TOKEN)))
CONTROL = [(verb, path) for verb, path in FAKE if path.startswith("/_gateway")]
PROVIDER = [(verb, path) for verb, path in FAKE if (verb, path) not in CONTROL]
BODIES = ("application/json", "multipart/form-data; boundary=b", "text/plain")


def test_the_table_is_read():
    assert ("POST", "/v1/chat/completions") in FAKE
    assert ("POST", f"/t/x/f/{FAULT}/v1/batches") in FAKE
    assert ("GET", "/_gateway/t/x/journal") in CONTROL
    assert len(FAKE) > 200


@pytest.mark.parametrize("llm", ["fake", "replay"])
@pytest.mark.parametrize("door", ["", "/t/x", "/f/y", "/t/x/f/y"])
def test_the_shortcut_leads_where_a_search_among_all_routes_does(llm, door):
    known = provider_routes(llm)
    fixed = [(verb, one.path) for one in known if "{" not in one.path for verb in one.methods]
    assert ("POST", "/v1/chat/completions") in fixed
    gone, searched = [], []
    for route in known:
        route.app = record(gone, route)
    shortcut = Shortcut(record(searched, None), known)
    for verb, path in fixed:
        scope = {"type": "http", "method": verb, "path": door + path}
        matches = ((one, *one.matches(scope)) for one in known)
        found = next((one, told) for one, match, told in matches if match is Match.FULL)
        asyncio.run(shortcut(scope, None, None))
        assert gone.pop() == (found[0].endpoint, found[1]["path_params"])
    assert searched == []


def record(called, route):
    async def app(scope, _receive, _send):
        called.append((route and route.endpoint, scope["path_params"]))

    return app


@pytest.fixture(scope="module")
def fake():
    made = App(openai_key=KEY, anthropic_key=KEY + "-other")
    yield made
    made.runner.close()


def test_no_route_answers_to_another_name_or_to_a_page(fake):
    said = {}
    for verb, path in FAKE:
        raw = path.encode()
        said[verb, path] = {
            "host": fake.send(verb, raw, [("host", "evil.example"), BEARER, WITH_TOKEN])[0],
            "origin": fake.send(verb, raw, [HOST, ("origin", "http://evil.example"), BEARER])[0],
            "site": fake.send(verb, raw, [HOST, ("sec-fetch-site", "cross-site"), BEARER])[0],
        }
    expected = {"host": 421, "origin": 403, "site": 403}
    assert {route: got for route, got in said.items() if got != expected} == {}


def test_no_route_of_the_control_interface_answers_without_the_token(fake):
    said = {route: fake.send(route[0], route[1].encode(), [HOST, BEARER])[0] for route in CONTROL}
    assert {route: status for route, status in said.items() if status != 401} == {}


def test_where_calls_cost_money_no_route_answers_without_the_token(spending):
    before = len(spending.sent)
    said = {
        (verb, path): spending.send(verb, path.encode(), [HOST, BEARER])[0]
        for verb, path in {*FAKE, *routes(spending.app.app)}
        if path not in OPEN
    }
    expected = {"OPTIONS": 403}
    assert {route: status for route, status in said.items()
            if status != expected.get(route[0], 401)} == {}  # fmt: skip
    assert len(spending.sent) == before


def test_no_route_makes_the_journal_show_the_providers_key(fake):
    lines = []
    fake.app.state.say = lines.append
    body = json.dumps({"model": KEY, "input": KEY, "prompt": KEY, "metadata": {"k": KEY},
                       "messages": [{"role": "user", "content": KEY}], "max_tokens": 9,
                       "contents": [{"parts": [{"text": KEY}]}], KEY: KEY}).encode()  # fmt: skip
    form = (f'--b\r\ncontent-disposition: form-data; name="file"; filename="{KEY}.wav"\r\n\r\n{KEY}'
            f'\r\n--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n{KEY}\r\n--b--\r\n'
            ).encode()  # fmt: skip
    for verb, path in PROVIDER:
        for kind in BODIES:
            data = form if kind.startswith("multipart") else body
            headers = [HOST, ("authorization", f"Bearer {KEY}"), ("content-type", kind),
                       ("user-agent", KEY), ("x-test-id", "mine")]  # fmt: skip
            status, answer = fake.send(
                verb, path.encode(), headers, data, query=f"after={KEY}".encode()
            )
            assert status < 500, (verb, path, answer)
        named = path.replace("/x", f"/{KEY}").encode()
        fake.send(verb, named, [HOST, ("authorization", f"Bearer {KEY}")], body)
    names = json.loads(fake.send("GET", b"/_gateway/namespaces", [HOST, WITH_TOKEN])[1])
    assert len(names["namespaces"]) > 1
    refused = f"/_gateway/{KEY}".encode()
    fake.send("GET", refused, [HOST])
    fake.app.state.say = None
    shown = {"lines": "".join(lines).encode()}
    for verb, path in CONTROL:
        if verb == "GET" and "lease" not in path:
            for name in ("default", "mine", "x"):
                there = path.replace("/t/x", f"/t/{name}").encode()
                shown[there] = fake.send("GET", there, [HOST, WITH_TOKEN])[1]
    assert b'"path":"/v1/batches"' in shown[b"/_gateway/journal"]
    assert [where for where, text in shown.items() if KEY.encode() in text] == []


def test_each_endpoint_of_openai_and_anthropic_is_passed_on_to_the_real_one():
    own = {(verb, path) for verb, path in PROVIDER if path.startswith("/v1/") and ":" not in path}
    assert {route for route in own if not is_passed_on(*route)} == NOT_PASSED_ON
