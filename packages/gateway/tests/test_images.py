"""Images are real PNG files of the size that is asked for."""

import base64
import struct
import zlib

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof_gateway.pictures import is_picture, png


def read_png(data):
    """Size, colour and transparency of a picture; fails unless all of the file is right."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert zlib.crc32(name + body) == int.from_bytes(data[at + 8 + length : at + 12 + length])
        chunks[name] = body
        at += 12 + length
    assert list(chunks)[-1] == b"IEND"
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (1, 3)
    assert zlib.decompress(chunks[b"IDAT"]) == bytes(1 + (width + 7) // 8) * height
    return (width, height), chunks[b"PLTE"], b"tRNS" in chunks


def draw(client, prompt="a cat", **fields):
    return client.images.generate(**{"model": "gpt-image-1", "prompt": prompt, **fields})


def data_of(image):
    return base64.b64decode(image.b64_json)


@given(st.integers(1, 200), st.integers(1, 200), st.text(max_size=5), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_picture_is_a_right_png_of_its_size(width, height, seed, transparent):
    data = png(width, height, seed, transparent=transparent)
    size, colour, seen_through = read_png(data)
    assert (size, len(colour), seen_through) == ((width, height), 3, transparent)
    assert is_picture(data)


def test_the_newest_models_answer_with_data_and_tell_the_form(gateway, client):
    made = draw(client, size="1536x1024", quality="high", n=2, background="transparent")
    pictures = [read_png(data_of(image)) for image in made.data]
    assert [size for size, _, _ in pictures] == [(1536, 1024)] * 2
    assert pictures[0][1] != pictures[1][1]
    assert pictures[0][2]
    assert (made.size, made.quality, made.output_format, made.background) == (
        "1536x1024", "high", "png", "transparent")  # fmt: skip
    assert (made.usage.input_tokens, made.usage.output_tokens) == (2, 8320)
    assert gateway.requests()[0].usage["total_tokens"] == 8322
    assert (draw(client).quality, draw(client).usage.output_tokens) == ("medium", 1056)
    assert draw(client, "a cat").data == draw(client, "a cat").data
    assert draw(client, "a dog").data != draw(client, "a cat").data


def test_older_models_answer_with_an_address_that_the_gateway_serves_without_a_key(client):
    made = client.images.generate(model="dall-e-3", prompt="a cat", size="1792x1024")
    (image,) = made.data
    assert (image.b64_json, image.revised_prompt) == (None, "a cat")
    answer = httpx.get(image.url)
    assert answer.headers["content-type"] == "image/png"
    assert read_png(answer.content)[0] == (1792, 1024)
    assert httpx.get(image.url.replace("img-", "img-9")).status_code == 404
    data = client.images.generate(model="dall-e-2", prompt="a cat", response_format="b64_json",
                                  size="256x256")  # fmt: skip
    assert read_png(data_of(data.data[0]))[0] == (256, 256)


PICTURE = ("in.png", png(8, 8, "x"))


def test_an_image_is_edited_and_varied(gateway, client):
    edited = client.images.edit(model="gpt-image-1", image=[PICTURE, PICTURE], prompt="a hat", n=2)
    assert [read_png(data_of(image))[0] for image in edited.data] == [(1024, 1024)] * 2
    assert client.images.edit(model="gpt-image-1", image=PICTURE, mask=PICTURE, prompt="x").data
    where, headers = f"{gateway.openai_base_url}/images/variations", {"authorization": "Bearer x"}
    varied = httpx.post(where, headers=headers, files={"image": PICTURE}, data={"size": "512x512"})
    url = varied.json()["data"][0]["url"]
    assert read_png(httpx.get(url).content)[0] == (512, 512)


def test_images_are_streamed_with_those_that_are_not_done_yet(client):
    events = list(draw(client, stream=True, partial_images=2))
    assert [event.type for event in events] == [
        "image_generation.partial_image", "image_generation.partial_image",
        "image_generation.completed"]  # fmt: skip
    assert [event.partial_image_index for event in events[:2]] == [0, 1]
    assert read_png(data_of(events[-1]))[0] == (1024, 1024)
    edit = client.images.edit(model="gpt-image-1", image=PICTURE, prompt="x", stream=True)
    assert [event.type for event in edit] == ["image_edit.completed"]


def test_scripts_and_faults_hit_images(gateway, client):
    gateway.when(path="/v1/images/*", text="rude").fail(400, message="not that")
    with pytest.raises(openai.BadRequestError, match="not that"):
        draw(client, "a rude cat")
    with pytest.raises(openai.InternalServerError):
        draw(client.with_options(max_retries=0), model="m-fail-once-x")


@pytest.mark.parametrize("size", ["16x16", "1536x864", "3840x2160"])
def test_free_sizes_are_taken_by_the_models_that_have_them(client, size):
    made = draw(client, model="gpt-image-2", size=size)
    assert "{}x{}".format(*read_png(data_of(made.data[0]))[0]) == size


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"size": "256x256"}, "size", "Supported values are: 1024x1024, 1536x1024"),
        ({"model": "gpt-image-2", "size": "100x96"}, "size", "divisible by 16"),
        ({"model": "gpt-image-2", "size": "96x100"}, "size", "divisible by 16"),
        ({"model": "gpt-image-2", "size": "3840x16"}, "size", "ratio between 1:3 and 3:1"),
        ({"model": "gpt-image-2", "size": "3840x3840"}, "size", "The maximum is 3840x2160"),
        ({"model": "m", "size": "large"}, "size", "A size is WIDTHxHEIGHT"),
        ({"model": "dall-e-3", "n": 2}, "n", "You must provide n=1"),
        ({"n": 11}, "n", "above maximum"),
        ({"prompt": ""}, "prompt", "Missing required parameter"),
        ({"model": "dall-e-2", "prompt": "x" * 1001}, "prompt", "too long"),
        ({"response_format": "url"}, "response_format", "Unknown parameter: 'response_format'."),
        ({"output_format": "webp"}, "output_format", "This gateway can't make webp: it makes png."),
        ({"quality": "hd"}, "quality", "Supported values"),
        ({"stream": True, "partial_images": 4}, "partial_images", "above maximum"),
    ],
)
def test_what_the_provider_refuses_of_an_image_is_refused(client, fields, param, told):
    with pytest.raises(openai.BadRequestError) as caught:
        draw(client, **fields)
    assert caught.value.param == param
    assert told in caught.value.body["message"]


@pytest.mark.parametrize("path", ["edits", "variations"])
def test_images_that_come_as_json_are_refused_with_the_reason(gateway, path):
    body = {"model": "gpt-image-1", "prompt": "x", "images": [{"file_id": "file-1"}]}
    headers = {"authorization": "Bearer x"}
    answer = httpx.post(f"{gateway.openai_base_url}/images/{path}", headers=headers, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_content_type")
    assert "multipart/form-data" in answer.json()["error"]["message"]


def test_a_file_that_is_no_image_is_refused(client):
    with pytest.raises(openai.BadRequestError, match="mode for image 2") as caught:
        client.images.edit(model="gpt-image-1", image=[PICTURE, ("x.png", b"no")], prompt="x")
    assert caught.value.code == "invalid_image_file"
