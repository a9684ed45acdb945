"""Gemini's files: uploaded in pieces, processed, listed, used and deleted."""

import base64
import hashlib
from urllib.parse import parse_qs, urlsplit

import openai
import pytest

KEY = {"x-goog-api-key": "any"}
MODEL = "gemini-2.0-flash"


class Files:
    """Sends what google-genai sends."""

    def __init__(self, gateway, http):
        self.base, self.http = gateway.gemini_base_url, http

    def start(self, size=None, kind="text/plain", version="v1beta", **file):
        headers = {
            **KEY,
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-type": kind,
        }
        if size is not None:
            headers["x-goog-upload-header-content-length"] = str(size)
        url = f"{self.base}/upload/{version}/files"
        return self.http.post(url, json={"file": file}, headers=headers)

    def send(self, url, data, offset=0, command="upload, finalize"):
        headers = {"x-goog-upload-command": command, "x-goog-upload-offset": str(offset)}
        return self.http.post(url, content=data, headers=headers)

    def upload(self, data=b"hello", **fields):
        url = self.start(len(data), **fields).headers["x-goog-upload-url"]
        return self.send(url, data).json()["file"]

    def get(self, path, **query):
        return self.http.get(f"{self.base}/v1beta/{path}", params=query, headers=KEY)

    def ask(self, uri):
        parts = [{"text": "what is it?"}, {"fileData": {"fileUri": uri, "mimeType": "x/y"}}]
        url = f"{self.base}/v1beta/models/{MODEL}:generateContent"
        return self.http.post(url, json={"contents": [{"parts": parts}]}, headers=KEY)


@pytest.fixture
def files(gateway, http):
    return Files(gateway, http)


def test_a_file_that_came_in_pieces_is_whole(files):
    begun = files.start(10, display_name="ten")
    assert (begun.status_code, begun.headers["x-goog-upload-status"]) == (200, "active")
    url = begun.headers["x-goog-upload-url"]
    first = files.send(url, b"01234", command="upload")
    assert first.headers["x-goog-upload-status"] == "active"
    assert first.headers["x-goog-upload-size-received"] == "5"
    asked = files.send(url, b"", command="query")
    assert asked.headers["x-goog-upload-size-received"] == "5"
    last = files.send(url, b"56789", offset=5)
    assert last.headers["x-goog-upload-status"] == "final"
    file = last.json()["file"]
    digest = hashlib.sha256(b"0123456789").hexdigest()
    assert base64.b64decode(file["sha256Hash"]).decode() == digest
    assert {name: file[name] for name in ("displayName", "mimeType", "sizeBytes", "state")} == {
        "displayName": "ten", "mimeType": "text/plain", "sizeBytes": "10", "state": "ACTIVE",
    }  # fmt: skip
    assert files.get(file["name"]).json() == file
    assert files.send(url, b"").status_code == 404


def test_the_address_of_an_upload_leads_into_the_namespace_without_a_key(files, gateway, server):
    url = files.start(1, version="v1").headers["x-goog-upload-url"]
    assert url.startswith(f"{server}/t/{gateway.namespace}/upload/v1/files?upload_id=")
    assert files.send(url, b"x").json()["file"]["name"] == "files/f-00000001"
    refused = files.http.post(f"{files.base}/upload/v1beta/files", json={})
    assert refused.json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize(
    ("sends", "told"),
    [
        ([(b"012", 3)], "begins at 3, but 0 bytes were received"),
        ([(b"012345", 0)], "more bytes than"),
        ([(b"012", 0)], "has 3 bytes instead of 5"),
    ],
)
def test_pieces_that_do_not_fit_are_refused_at_once(files, sends, told):
    url = files.start(5).headers["x-goog-upload-url"]
    for data, offset in sends:
        refused = files.send(url, data, offset)
    assert (refused.status_code, refused.headers["x-goog-upload-status"]) == (400, "final")
    assert told in refused.json()["error"]["message"]


def test_names_are_the_clients_own_and_only_once(files):
    assert files.upload(name="files/my-notes")["name"] == "files/my-notes"
    assert files.start(1, name="files/my-notes").json()["error"]["status"] == "ALREADY_EXISTS"
    assert files.start(1, name="files/My_Notes").json()["error"]["code"] == 400
    assert files.start(3 * 1024**3).json()["error"]["code"] == 400


def test_files_are_listed_in_pages_and_deleted(files):
    names = [files.upload()["name"] for _ in range(4)]
    first = files.get("files", pageSize=2).json()
    second = files.get("files", pageSize=2, pageToken=first["nextPageToken"]).json()
    found = [file["name"] for page in (first, second) for file in page["files"]]
    assert found == names[::-1]
    assert "nextPageToken" not in second
    assert files.get("files", pageSize=101).status_code == 400
    gone = files.http.delete(f"{files.base}/v1/{names[0]}", headers=KEY)
    assert (gone.status_code, gone.json()) == (200, {})
    error = files.get(names[0]).json()["error"]
    assert (error["code"], error["status"]) == (403, "PERMISSION_DENIED")
    assert error["message"] == (
        "You do not have permission to access the File f-00000001 or it may not exist."
    )


def test_openais_files_are_others(files, client):
    files.upload()
    assert client.files.list().data == []
    kept = client.files.create(file=("a.txt", b"x"), purpose="user_data")
    assert files.get(f"files/{kept.id}").status_code == 403


def test_openais_uploads_are_others(files, client):
    address = files.start(5).headers["x-goog-upload-url"]
    (identity,) = parse_qs(urlsplit(address).query)["upload_id"]
    with pytest.raises(openai.NotFoundError, match=f"No such Upload object: {identity}"):
        client.uploads.cancel(identity)
    assert files.send(address, b"whole").status_code == 200


def test_a_file_can_be_used_as_long_as_it_is_there(files, gateway):
    uri = files.upload()["uri"]
    assert "candidates" in files.ask(uri).json()
    assert "candidates" in files.ask("https://www.youtube.com/watch?v=x").json()
    gateway.advance_clock(48 * 3600)
    assert "or it may not exist" in files.ask(uri).json()["error"]["message"]
    assert files.get("files").json() == {}


def test_a_film_is_processed_before_it_can_be_used(files):
    file = files.upload(kind="video/mp4")
    assert file["state"] == "PROCESSING"
    error = files.ask(file["uri"]).json()["error"]
    assert (error["status"], error["message"]) == (
        "FAILED_PRECONDITION",
        "The File f-00000001 is not in an ACTIVE state and usage is not allowed.",
    )
    assert files.get(file["name"]).json()["state"] == "ACTIVE"
    assert "candidates" in files.ask(file["uri"]).json()


def test_an_upload_fails_as_it_is_armed_to(files, gateway):
    gateway.arm("http503", path="/upload/*", times=1)
    assert files.start(1).json()["error"]["status"] == "UNAVAILABLE"
    assert files.upload()["name"]


def test_an_upload_begins_in_a_namespace_where_one_is_required(serve, http):
    with serve(strict_namespaces=True) as url:
        begin = {"json": {}, "headers": {**KEY, "x-goog-upload-command": "start"}}
        refused = http.post(f"{url}/upload/v1beta/files", **begin)
        assert (refused.status_code, "serves namespaces only" in refused.text) == (400, True)
        begun = http.post(f"{url}/t/mine/upload/v1beta/files", **begin)
        piece = {"x-goog-upload-command": "upload, finalize"}
        ended = http.post(begun.headers["x-goog-upload-url"], content=b"x", headers=piece)
        assert ended.json()["file"]["sizeBytes"] == "1"
