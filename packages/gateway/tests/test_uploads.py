"""Files: as large as the provider takes them, in parts, and for a time."""

import asyncio
import hashlib
import tracemalloc

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages.gateway.tests.bare_app import BEARER, HOST, App
from starlette.requests import Request

from stackproof_gateway import bodies, forms
from stackproof_gateway.contents import Contents

MEBIBYTE = 1024 * 1024


def begin(client, size, **fields):
    given = {"filename": "a.txt", "mime_type": "text/plain", "purpose": "user_data", **fields}
    return client.uploads.create(bytes=size, **given)


def test_parts_become_a_file_in_the_order_that_is_named(client):
    upload = begin(client, 10)
    assert (upload.status, upload.file) == ("pending", None)
    assert upload.expires_at == upload.created_at + 3600
    second = client.uploads.parts.create(upload.id, data=b" world")
    first = client.uploads.parts.create(upload.id, data=b"hell")
    assert (first.upload_id, first.object) == (upload.id, "upload.part")
    md5 = hashlib.md5(b"hell world", usedforsecurity=False).hexdigest()
    done = client.uploads.complete(upload.id, part_ids=[first.id, second.id], md5=md5)
    assert (done.status, done.file.filename, done.file.bytes) == ("completed", "a.txt", 10)
    assert client.files.content(done.file.id).read() == b"hell world"
    assert client.files.retrieve(done.file.id).purpose == "user_data"


def test_the_helper_of_the_client_uploads_in_chunks(client):
    done = client.uploads.upload_file_chunked(
        file=b"x" * 2500, filename="a.txt", bytes=2500, mime_type="text/plain",
        purpose="user_data", part_size=1000,
    )  # fmt: skip
    assert done.file.bytes == 2500


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"md5": "0" * 32}, "The file has the MD5 5d41402abc4b2a76b9719d911017c592"),
        ({"part_ids": ["part_9"]}, "No such UploadPart object: part_9"),
        ({"part_ids": []}, "empty array"),
    ],
)
def test_parts_that_do_not_fit_leave_the_upload_pending(client, fields, told):
    upload = begin(client, 5)
    part = client.uploads.parts.create(upload.id, data=b"hello")
    with pytest.raises(openai.APIStatusError) as caught:
        client.uploads.complete(upload.id, **{"part_ids": [part.id], **fields})
    assert told in caught.value.message
    assert client.uploads.complete(upload.id, part_ids=[part.id]).status == "completed"


def test_parts_of_another_size_than_was_told_are_refused(client):
    upload = begin(client, 6)
    part = client.uploads.parts.create(upload.id, data=b"hello")
    with pytest.raises(openai.BadRequestError, match=r"have 5 bytes, but .* created for 6 bytes"):
        client.uploads.complete(upload.id, part_ids=[part.id])


@pytest.mark.parametrize("end", ["cancel", "complete", "expire"])
def test_an_upload_that_is_over_takes_nothing_more(gateway, client, end):
    upload = begin(client, 5)
    part = client.uploads.parts.create(upload.id, data=b"hello")
    if end == "cancel":
        assert client.uploads.cancel(upload.id).status == "cancelled"
    elif end == "complete":
        client.uploads.complete(upload.id, part_ids=[part.id])
    else:
        gateway.advance_clock(3600)
    with pytest.raises(openai.BadRequestError, match="not 'pending'"):
        client.uploads.parts.create(upload.id, data=b"x")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": 0}, "bytes"),
        ({"size": 8 * 1024 * MEBIBYTE + 1}, "bytes"),
        ({"purpose": "fun"}, "purpose"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds"),
        ({"expires_after": {"anchor": "now", "seconds": 3600}}, "expires_after.anchor"),
    ],
)
def test_an_upload_that_the_provider_refuses_is_refused(client, fields, param):
    with pytest.raises(openai.BadRequestError) as caught:
        begin(client, **{"size": 5, **fields})
    assert caught.value.param == param


def test_a_file_that_expires_is_there_no_more(gateway, client):
    expiry = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=b"x", purpose="user_data", expires_after=expiry)
    assert file.expires_at == file.created_at + 3600
    gateway.advance_clock(3500)
    assert client.files.retrieve(file.id).id == file.id
    gateway.advance_clock(100)
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    assert list(client.files.list()) == []


def test_a_response_refers_to_a_file_until_it_expires(gateway, client):
    expiry = {"anchor": "created_at", "seconds": 3600}
    file = client.files.create(file=b"x", purpose="user_data", expires_after=expiry)
    content = [{"type": "input_file", "file_id": file.id}, {"type": "input_text", "text": "hi"}]
    asked = {"model": "m", "input": [{"role": "user", "content": content}]}
    assert client.responses.create(**asked).output_text == "echo: hi"
    gateway.advance_clock(3600)
    with pytest.raises(openai.NotFoundError, match=file.id):
        client.responses.create(**asked)


# Large files

BOUNDARY = "gateway"
HEAD = (
    f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n'
).encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def send_file(app, mebibytes):
    """Send a file in chunks of a mebibyte, and read it back."""
    chunk = bytes(MEBIBYTE)
    chunks = [HEAD, *[chunk] * mebibytes, TAIL]
    kind = ("content-type", f"multipart/form-data; boundary={BOUNDARY}")
    return app.send("POST", b"/v1/files", [HOST, BEARER, kind], chunks)


def test_a_file_beyond_what_other_requests_may_have_is_not_held_in_memory():
    app, size = App(), 24
    tracemalloc.start()
    try:
        status, answer = send_file(app, size)
        assert status == 200, answer
        assert app.app.state.namespaces.get("default").shelf.files
        assert tracemalloc.get_traced_memory()[1] < 8 * MEBIBYTE
    finally:
        tracemalloc.stop()
    status, answer = app.send("GET", b"/v1/files/file-00000001/content", [HOST, BEARER])
    assert (status, len(answer), answer.count(0)) == (200, size * MEBIBYTE, size * MEBIBYTE)
    app.runner.close()


def test_a_file_beyond_the_providers_limit_is_refused_with_its_words(monkeypatch):
    monkeypatch.setattr(forms, "LARGEST_FILE", 2 * MEBIBYTE)
    app = App()
    status, answer = send_file(app, 3)
    app.runner.close()
    assert status == 413
    assert b"Maximum content size limit (2097152) exceeded (3145728 bytes read)" in answer


def test_what_no_form_can_have_is_dropped_while_it_is_read(monkeypatch):
    monkeypatch.setattr(bodies, "LARGEST_FORM", 2 * MEBIBYTE)
    app = App()
    status, answer = send_file(app, 3)
    app.runner.close()
    assert (status, b"too large" in answer) == (413, True)


def test_what_is_dropped_is_not_written_to_the_disk_either(monkeypatch):
    monkeypatch.setattr(bodies, "LARGEST_FORM", 5)
    chunks = [b"abc", b"def", b"ghi"]

    async def receive():
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    scope = {"type": "http", "path": "/v1/files", "headers": [], "server": ("x", 80),
             "query_string": b"", "scheme": "http"}  # fmt: skip
    body = asyncio.run(bodies.read_form_body(Request(scope, receive)))
    with body.form as file:
        assert (body.too_large, file.seek(0), file.read()) == (True, 0, b"abc")


def test_the_limit_is_the_providers():
    assert forms.LARGEST_FILE == 512 * MEBIBYTE


@given(st.lists(st.binary(max_size=9) | st.just(b"x" * 70_000), max_size=4))
@settings(max_examples=30, deadline=None)
def test_contents_have_the_lines_and_the_bytes_that_they_were_made_of(pieces):
    data = b"\n".join(pieces)
    contents = Contents.joined([Contents.of(data[:5]), Contents.of(data[5:])])
    assert contents.read() == data
    assert list(contents.lines()) == (data.removesuffix(b"\n").split(b"\n") if data else [])
