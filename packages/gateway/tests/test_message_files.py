"""Files as Anthropic shows them, and images and documents of messages that refer to them.

Shapes are those of the SDK's types, the text on media types is one that users report; the others
were not compared with the provider's own.
"""

import pytest

HEADERS = {"x-api-key": "sk-any", "anthropic-version": "2023-06-01"}
PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}


class Provider:
    """The endpoints of a namespace, in Anthropic's dialect."""

    def __init__(self, gateway, http):
        self.base, self.http = gateway.openai_base_url, http

    def send(self, verb, path, **fields):
        return self.http.request(verb, self.base + path, headers=HEADERS, **fields)

    def upload(self, name="note.txt", **data):
        files = {"file": (name, b"hello world")}
        return self.send("POST", "/files", files=files, data=data)

    def ask(self, *blocks):
        messages = [{"role": "user", "content": [*blocks, {"type": "text", "text": "hello"}]}]
        body = {"model": "m", "max_tokens": 9, "messages": messages}
        return self.send("POST", "/messages", json=body)


@pytest.fixture
def provider(gateway, http):
    return Provider(gateway, http)


def test_a_file_is_kept_listed_and_deleted_in_its_form(provider):
    made = provider.upload().json()
    assert {key: made[key] for key in ("type", "filename", "mime_type", "size_bytes")} == {
        "type": "file", "filename": "note.txt", "mime_type": "text/plain", "size_bytes": 11,
    }  # fmt: skip
    other = provider.upload("b.pdf").json()
    page = provider.send("GET", "/files", params={"limit": 1}).json()
    assert ([page["data"], page["has_more"]]) == [[other], True]
    rest = provider.send("GET", "/files", params={"page": page["next_page"]}).json()
    assert (rest["data"], rest["next_page"]) == ([made], None)
    assert provider.send("GET", f"/files/{made['id']}").json() == made
    content = provider.send("GET", f"/files/{made['id']}/content")
    assert content.status_code == 400
    assert content.json()["error"]["details"] == {"error_code": "file_not_downloadable"}
    gone = provider.send("DELETE", f"/files/{made['id']}").json()
    assert gone == {"id": made["id"], "type": "file_deleted"}
    answer = provider.send("GET", f"/files/{made['id']}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_a_file_ends_when_it_is_told_to(provider, gateway):
    assert provider.upload(expires_in_seconds="60").status_code == 400
    made = provider.upload(expires_in_seconds="3600").json()
    assert made["expires_at"] > made["created_at"]
    gateway.advance_clock(3600)
    assert provider.send("GET", "/files").json()["data"] == []
    assert provider.send("GET", f"/files/{made['id']}").status_code == 404


def test_the_same_path_without_its_version_is_the_other_provider_s(provider, client):
    made = provider.upload().json()
    assert client.files.retrieve(made["id"]).object == "file"


def test_a_message_refers_to_a_file_that_is_there(provider):
    source = {"type": "file", "file_id": provider.upload("a.png").json()["id"]}
    for kind in ("image", "document"):
        assert provider.ask({"type": kind, "source": source}).status_code == 200
    lost = provider.ask({"type": "image", "source": {"type": "file", "file_id": "file_x"}})
    assert (lost.status_code, lost.json()["error"]["message"]) == (404, "File not found: file_x")


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "image"}, "image.source: Field required"),
        ({"type": "image", "source": "x"}, "image.source: Input should be an object"),
        ({"type": "image", "source": {**PNG, "type": "text"}},
         "image.source: Input tag 'text' found using 'type' does not match any of the expected"),
        ({"type": "image", "source": {**PNG, "media_type": "image/jpg"}},
         "image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif'"),
        ({"type": "image", "source": {"type": "url"}}, "image.source.url.url: Field required"),
        ({"type": "image", "source": {**PNG, "data": 7}},
         "image.source.base64.data: Input should be a valid string"),
        ({"type": "document", "source": PNG},
         "document.source.base64.media_type: Input should be 'application/pdf'"),
    ],
)  # fmt: skip
def test_what_comes_from_nowhere_is_refused(provider, block, problem):
    answer = provider.ask(block)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(f"messages.0.content.0.{problem}")


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": PNG},
        {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
        {"type": "document", "source": {"type": "content", "content": "x"}},
    ],
)
def test_what_comes_from_somewhere_is_taken(provider, block):
    assert provider.ask(block).status_code == 200
