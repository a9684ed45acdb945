"""Gemini's files in the modes record, replay and live: a second gateway plays the provider."""

import asyncio
import json
import re
from urllib.parse import urlsplit

import httpx
import pytest
from packages.gateway.tests.bare_app import HOST, WITH_TOKEN
from packages.gateway.tests.rig import KEY, TOKEN
from packages.gateway.tests.test_gemini_files import KEY as CLIENTS_KEY
from packages.gateway.tests.test_gemini_files import Files

from stackproof_gateway.options import Options
from stackproof_gateway.provider.starting import make_check

FIRST, SECOND = (f"{digit * 8}-0000-4000-8000-000000000000" for digit in "12")
GOOGLE = "https://generativelanguage.googleapis.com"
START = b"/upload/v1beta/files"


@pytest.fixture
def files(rig, http):
    """A way to send what google-genai sends, to a gateway in a mode."""

    def of(mode, **options):
        made = Files(gateway := rig.gateway(mode, **options), http)
        made.gateway = gateway
        return made

    return of


def used(files, uri):
    """The answer to a question about a file."""
    parts = [{"text": "what is it?"}, {"fileData": {"fileUri": uri, "mimeType": "text/plain"}}]
    body = {"contents": [{"parts": parts}], "generationConfig": {"maxOutputTokens": 50}}
    url = f"{files.base}/v1beta/models/gemini-2.5-flash-lite:generateContent"
    return files.http.post(url, json=body, headers=CLIENTS_KEY)


def story(files):
    """What a client does with a file, and all that it is told."""
    url = files.start(10, display_name="ten").headers["x-goog-upload-url"]
    first = files.send(url, b"01234", command="upload")
    last = files.send(url, b"56789", offset=5)
    name, uri = (last.json()["file"][key] for key in ("name", "uri"))
    told = [first.headers, last.headers]
    told = [{key: kept for key, kept in one.items() if "goog" in key} for one in told]
    answers = [last, files.get(name), files.get("files", pageSize=5), used(files, uri)]
    answers.append(files.http.delete(f"{files.base}/v1beta/{name}", headers=CLIENTS_KEY))
    assert {answer.status_code for answer in answers} == {200}
    return told, [answer.json() for answer in answers]


def test_what_was_recorded_of_a_file_is_replayed(rig, files):
    recorded = story(files("record"))
    count = len(rig.provider.requests())
    replaying = files("replay")
    assert story(replaying) == recorded
    assert recorded[0][0] == {
        "x-goog-upload-status": "active", "x-goog-upload-size-received": "5",
    }  # fmt: skip
    assert recorded[1][0]["file"]["sizeBytes"] == "10"
    assert len(rig.provider.requests()) == count == 7
    assert replaying.gateway.unused_recordings() == []


def test_the_client_gets_an_address_of_the_gateway_in_its_namespace(rig, files):
    for mode, door in (("live", f"/k/{TOKEN}"), ("record", f"/k/{TOKEN}"), ("replay", "")):
        asking = files(mode)
        begun = asking.start(1)
        urls = [begun.headers[f"x-goog-upload-{kind}url"] for kind in ("", "control-")]
        base, url = urlsplit(asking.base), urlsplit(urls[0])
        assert (url.scheme, url.netloc) == (base.scheme, base.netloc)
        assert url.path == f"{door}/t/test/upload/v1beta/files"
        assert KEY not in urls[0]
        assert urls[0] == urls[1]
        assert asking.send(urls[0], b"x").headers["x-goog-upload-status"] == "final"
    assert len(rig.provider.requests()) == 4


def test_neither_address_nor_key_nor_token_is_kept(rig, files):
    recording = files("record")
    recording.upload(b"hello")
    kept = "".join(path.read_text() for path in rig.cassettes.glob("*.yaml"))
    shown = httpx.get(f"{recording.gateway.base_url}/_gateway/t/test/journal",
                      headers=dict([WITH_TOKEN])).text  # fmt: skip
    assert "content: hello" in kept
    assert re.search(r"upload_id=upload-[0-9a-f]{12}&", kept)  # without a number of this run
    for secret in (KEY, TOKEN, "gemini-upload-"):  # the last is an id of the provider's
        assert secret not in kept + shown
    assert [entry.usd for entry in recording.gateway.requests()] == [0, 0]


def test_live_passes_on_and_keeps_nothing(rig, files):
    files("live").upload(b"hello", version="v1")
    asked = [(entry.path, entry.request) for entry in rig.provider.requests()]
    assert asked[1] == ("/upload/v1/files", "hello")
    assert not rig.cassettes.exists()


def test_a_piece_comes_to_the_providers_address_with_its_key_and_not_the_clients(spending):
    spending.sent.clear()
    named = f"{GOOGLE}/upload/v1beta/files?upload_id=A%2Fb&upload_protocol=resumable"
    usual = spending.answer
    spending.answer = httpx.Response(200, headers={"x-goog-upload-url": named}, content=b"{}")
    client = [HOST, WITH_TOKEN, ("x-goog-api-key", "mine")]
    command = [("x-goog-upload-command", "upload"), ("x-goog-upload-offset", "0")]
    try:
        spending.send("POST", START, client, b"{}")
        (own,) = spending.app.app.state.namespaces.get("default").shelf.gemini_uploads
        query = f"upload_id={own}&key=mine".encode()
        spending.send("POST", START, [*client, *command], b"bytes", query)
    finally:
        spending.answer = usual
    start, piece = spending.sent
    assert (str(start.url), str(piece.url)) == (f"{GOOGLE}/upload/v1beta/files", named)
    assert (piece.content, piece.headers["x-goog-upload-command"]) == (b"bytes", "upload")
    assert start.headers["x-goog-api-key"] == piece.headers["x-goog-api-key"] == KEY
    assert "mine" not in str(start.headers) + str(piece.headers)


def test_uploads_that_begin_alike_are_told_apart_by_what_they_hold(files):
    recording = files("record")
    urls = [recording.start(3).headers["x-goog-upload-url"] for _ in range(2)]
    names = {
        data: recording.send(url, data).json()["file"]["name"]
        for url, data in zip(urls, (b"one", b"two"), strict=True)
    }
    replaying = files("replay")
    urls = [replaying.start(3).headers["x-goog-upload-url"] for _ in range(2)]
    found = {
        data: replaying.send(url, data).json()["file"]["name"]
        for url, data in zip(urls, (b"two", b"one"), strict=True)
    }
    assert found == names
    assert len(set(names.values())) == 2


def test_values_that_change_are_matched_and_put_back(rig, files):
    def uploaded(mode, value):
        day = "9 May 2026" if value == FIRST else "10 May 2026"
        data = f"task {value} of {day}".encode()
        return files(mode).upload(data, display_name=f"the {value}", size_bytes=len(data))

    recorded = uploaded("record", FIRST)
    again = uploaded("replay", SECOND)
    assert again == {**recorded, "displayName": f"the {SECOND}"}
    uploaded("record", SECOND)  # takes the place of the first
    assert len(list(rig.cassettes.iterdir())) == 2


@pytest.mark.parametrize("content", [b"\x89PNG\xff", b"x" * 100_001])
def test_a_file_that_is_long_or_no_text_is_known_by_its_digest(rig, files, content):
    recorded = files("record").upload(content)
    assert any("sha256:" in path.read_text() for path in rig.cassettes.iterdir())
    replaying = files("replay")
    assert replaying.upload(content) == recorded
    url = replaying.start(len(content)).headers["x-goog-upload-url"]
    refused = replaying.send(url, content[:-1] + b"!")
    assert (refused.status_code, "was not recorded" in refused.text) == (404, True)


def test_a_file_that_looks_like_a_request_asks_no_model(rig, files):
    live = files("live")
    content = json.dumps({"model": "no-such-model", "input": "x"}).encode()
    assert live.upload(content)["sizeBytes"] == str(len(content))
    assert [(entry.model, entry.usd) for entry in live.gateway.requests()] == [("", 0)] * 2


def test_a_piece_goes_only_where_the_provider_has_named_an_address_in_the_namespace(rig, files):
    live = files("live")
    url = live.start(1).headers["x-goog-upload-url"]
    asked = len(rig.provider.requests())
    other = url.replace("/t/test/", "/t/other/")
    encoded = url.replace("upload_id", "upload%5Fid").replace("/t/test/", "/t/other/")
    theirs = f"{url.partition('?')[0]}?upload_id=gemini-upload-00000001"
    for wrong in (other, encoded, theirs):
        refused = live.send(wrong, b"x")
        assert (refused.status_code, refused.headers["x-goog-upload-status"]) == (404, "final")
        assert "was not begun in the namespace" in refused.json()["error"]["message"]
    assert len(rig.provider.requests()) == asked
    without = url.replace(f"/k/{TOKEN}", "")
    assert live.send(without, b"x").status_code == 401
    live.gateway.reset()
    assert live.send(url, b"x").status_code == 404


@pytest.mark.parametrize(
    "named",
    [
        "https://evil.example/upload?upload_id=x",
        "http://generativelanguage.googleapis.com/upload",
        "https://generativelanguage.googleapis.com:444/upload",
        "https://generativelanguage.googleapis.com@evil.example/upload",
        "/upload/v1beta/files?upload_id=x",
        "https://[",
    ],
)
def test_an_address_elsewhere_is_not_taken(spending, named):
    spending.sent.clear()
    usual, spending.answer = (
        spending.answer,
        httpx.Response(200, headers={"x-goog-upload-url": named}),
    )
    try:
        key = ("x-goog-api-key", "mine")
        status, answer = spending.send("POST", START, [HOST, WITH_TOKEN, key], b"{}")
    finally:
        spending.answer = usual
    assert (status, answer["error"]["status"]) == (502, "INTERNAL")
    assert "Its key is sent nowhere else" in answer["error"]["message"]


def test_a_start_needs_a_key_as_each_request_does(spending):
    spending.sent.clear()
    status, answer = spending.send("POST", START, [HOST, WITH_TOKEN], b"{}")
    assert (status, answer["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert spending.sent == []


def test_an_upload_fails_as_it_is_armed_to(rig, files):
    asking = files("live")
    asking.gateway.arm("http503", path="/upload/*", times=1)
    assert asking.start(1).json()["error"]["status"] == "UNAVAILABLE"
    assert rig.provider.requests() == []
    asking.gateway.arm("eof", path="/upload/*", times=2)
    assert asking.upload()["name"]  # an upload has no reason of its end to leave out
    asking.gateway.arm("cut", path="/upload/*", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        asking.start(1)


def test_a_refusal_of_the_provider_reaches_the_client_and_is_replayed(files):
    for mode in ("record", "replay"):
        asking = files(mode)
        url = asking.start(5).headers["x-goog-upload-url"]
        refused = asking.send(url, b"012")
        assert (refused.status_code, refused.headers["x-goog-upload-status"]) == (400, "final")
        assert "has 3 bytes instead of 5" in refused.json()["error"]["message"]


def test_a_check_uploads_nothing(rig, files):
    files("record").upload()
    count = len(rig.provider.requests())

    async def checked():
        checking, cassettes = make_check(Options(**rig.options("replay")))
        found = [await checking.check(cassette) for cassette in cassettes.by_key.values()]
        await checking.forwarder.close()
        return found

    assert asyncio.run(checked()) == [[], []]
    assert len(rig.provider.requests()) == count
