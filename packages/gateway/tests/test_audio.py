"""Speech is a tone in a real format, and a sound file says the words of its name."""

import array
import base64
import io
import itertools
import json
import wave

import httpx
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackproof_gateway import tones, transcriptions
from stackproof_gateway.transcripts import Transcript, text_of_name


def speak(client, text="one two three four five", **fields):
    return client.audio.speech.create(
        **{"model": "tts-1", "voice": "alloy", "input": text, **fields}
    ).read()


def hear(client, name="book_a-table.wav", data=b"x", **fields):
    given = {"model": "whisper-1", **fields}
    return client.audio.transcriptions.create(file=(name, data), **given)


def translate(gateway, name, **fields):
    """Ask the endpoint that the client calls deprecated."""
    url, headers = f"{gateway.openai_base_url}/audio/translations", {"authorization": "Bearer x"}
    data = {"model": "whisper-1", **fields}
    return httpx.post(url, headers=headers, data=data, files={"file": (name, b"x")}).json()


# Speech


def waves(samples):
    """How often a sound crosses zero upwards."""
    values = array.array("h", samples)
    return sum(before < 0 <= after for before, after in itertools.pairwise(values))


def test_a_wav_file_holds_a_tone_as_long_as_the_text(client):
    with wave.open(io.BytesIO(speak(client, response_format="wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        seconds = file.getnframes() / 24_000
        assert seconds == pytest.approx(0.5, abs=0.01)
        assert waves(file.readframes(file.getnframes())) == pytest.approx(480 * seconds, abs=2)


def test_bare_samples_are_those_of_the_wav_file(client):
    assert speak(client, response_format="wav")[44:] == speak(client, response_format="pcm")


@pytest.mark.parametrize("fields", [{}, {"response_format": "mp3"}])
def test_mp3_is_the_default_and_all_its_frames_are_whole(client, fields):
    data = speak(client, **fields)
    frames = [data[at : at + 192] for at in range(0, len(data), 192)]
    assert len(frames) * 576 / 24_000 == pytest.approx(0.5, abs=0.03)
    for frame in frames:
        assert (len(frame), frame[:4].hex()) == (192, "fff384c0")
        side = int.from_bytes(frame[4:13], "big")
        length, pairs = side >> 51 & 0xFFF, side >> 42 & 0x1FF
        assert (length, pairs) == (15, 12)
        assert int.from_bytes(frame[13:15], "big") >> 1 == int("1" * 11 + "0010", 2)


def test_the_media_type_is_that_of_the_format_and_speed_shortens_it(gateway, client):
    raw = client.audio.speech.with_raw_response
    given = {"model": "tts-1", "voice": "alloy", "input": "a b c d"}
    answers = [raw.create(**given, response_format=kind) for kind in ("mp3", "wav", "pcm")]
    assert [answer.headers["content-type"] for answer in answers] == [
        "audio/mpeg", "audio/wav", "audio/pcm"]  # fmt: skip
    assert len(speak(client, "a b c d", speed=2.0)) < len(answers[0].content)
    assert gateway.requests()[0].usage["prompt_tokens"] == 4


@pytest.mark.parametrize("kind", ["opus", "aac", "flac"])
def test_a_format_that_the_gateway_cannot_make_is_refused_with_those_that_it_can(client, kind):
    with pytest.raises(openai.BadRequestError, match=f"can't make {kind}: it makes mp3, wav, pcm"):
        speak(client, response_format=kind)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": ""}, "input", "string_below_min_length"),
        ({"input": "x" * 4097}, "input", "string_above_max_length"),
        ({"speed": 5}, "speed", "decimal_above_max_value"),
        ({"response_format": "midi"}, "response_format", "invalid_value"),
        ({"voice": 3}, "voice", "invalid_type"),
        ({"stream_format": "sse"}, "stream_format", "unsupported_value"),
    ],
)
def test_what_the_provider_refuses_of_speech_is_refused(client, fields, param, code):
    with pytest.raises(openai.BadRequestError) as caught:
        speak(client, **fields)
    assert (caught.value.param, caught.value.code) == (param, code)


def test_speech_is_streamed_in_events(gateway):
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "a b c d",
            "stream_format": "sse", "response_format": "wav"}  # fmt: skip
    answer = httpx.post(f"{gateway.openai_base_url}/audio/speech", json=body,
                        headers={"authorization": "Bearer x"})  # fmt: skip
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line]
    sound = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert sound == tones.wav(0.4)
    assert events[-1] == {"type": "speech.audio.done", "usage": {
        "input_tokens": 4, "output_tokens": 4, "total_tokens": 8}}  # fmt: skip


def test_scripts_and_faults_hit_speech(gateway, client):
    gateway.when(path="/v1/audio/speech", text="rude").fail(400, message="no")
    with pytest.raises(openai.BadRequestError, match="no"):
        speak(client, "a rude text")
    with pytest.raises(openai.InternalServerError):
        speak(client.with_options(max_retries=0), model="m-fail-once-x")
    with pytest.raises((openai.APIConnectionError, httpx.HTTPError)):
        speak(client.with_options(max_retries=0), model="m-cut-x")


# Transcription


def test_what_is_heard_are_the_words_of_the_files_name(gateway, client):
    assert hear(client).text == "book a table"
    assert hear(client).usage.type == "duration"
    assert gateway.requests()[0].model == "whisper-1"
    assert gateway.requests()[0].reply == "book a table"


def test_a_script_says_what_is_heard(gateway, client):
    gateway.when(path="/v1/audio/*", text="call.mp3").reply("hello there")
    assert hear(client, "call.mp3").text == "hello there"
    assert translate(gateway, "call.mp3") == {"text": "hello there"}


def test_each_format_holds_the_text(client):
    assert hear(client, response_format="text") == "book a table\n"
    assert hear(client, response_format="srt") == (
        "1\n00:00:00,000 --> 00:00:01,200\nbook a table\n\n")  # fmt: skip
    assert hear(client, response_format="vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.200\nbook a table\n\n")  # fmt: skip
    verbose = hear(client, response_format="verbose_json",
                   timestamp_granularities=["word", "segment"])  # fmt: skip
    assert (verbose.text, verbose.language, float(verbose.duration)) == (
        "book a table", "english", 1.2)  # fmt: skip
    assert [(word.word, word.start, word.end) for word in verbose.words] == [
        ("book", 0.0, 0.4), ("a", 0.4, 0.8), ("table", 0.8, 1.2)]  # fmt: skip
    assert verbose.segments[0].end == 1.2


def test_words_and_segments_are_told_as_they_are_asked_for(client):
    verbose = hear(client, response_format="verbose_json", language="de")
    assert (verbose.words, len(verbose.segments), verbose.language) == (None, 1, "de")
    words = hear(client, response_format="verbose_json", timestamp_granularities=["word"])
    assert words.segments is None


def test_the_length_of_a_wav_file_is_its_own(client):
    sound = speak(client, response_format="wav")
    verbose = hear(client, "said.wav", sound, response_format="verbose_json")
    assert float(verbose.duration) == 0.5


def test_speakers_are_told_by_the_model_that_knows_them(client):
    found = hear(client, model="gpt-4o-transcribe-diarize", response_format="diarized_json",
                 chunking_strategy="auto")  # fmt: skip
    assert [(part.speaker, part.text) for part in found.segments] == [("A", "book a table")]


def test_a_transcription_is_streamed_by_the_models_that_can(client):
    events = list(hear(client, model="gpt-4o-transcribe", stream=True))
    assert "".join(event.delta for event in events[:-1]) == "book a table"
    assert (events[-1].type, events[-1].text) == ("transcript.text.done", "book a table")
    assert events[-1].usage.type == "tokens"


def test_a_translation_is_english(gateway):
    said = translate(gateway, "ein_tisch.mp3", response_format="verbose_json")
    assert (said["text"], said["language"], said["task"]) == ("ein tisch", "english", "translate")


@pytest.mark.parametrize(
    ("fields", "param", "told"),
    [
        ({"name": "x.txt"}, "file", "Unrecognized file format. Supported formats: ['flac'"),
        ({"response_format": "poem"}, "response_format", "Supported values are: json, text, srt"),
        ({"model": "gpt-4o-transcribe", "response_format": "srt"}, "response_format",
         "is not compatible with model 'gpt-4o-transcribe'"),
        ({"model": "whisper-1", "response_format": "diarized_json"}, "response_format", "Suppor"),
    ],
)  # fmt: skip
def test_what_the_provider_refuses_of_a_transcription_is_refused(client, fields, param, told):
    with pytest.raises(openai.BadRequestError) as caught:
        hear(client, **fields)
    assert caught.value.param == param
    assert told in caught.value.body["message"]


def test_a_sound_above_25_mb_is_refused(client, monkeypatch):
    assert transcriptions.LARGEST_AUDIO == 25 * 1024 * 1024
    monkeypatch.setattr(transcriptions, "LARGEST_AUDIO", 9)
    with pytest.raises(openai.APIStatusError, match="10 bytes read") as caught:
        hear(client, data=bytes(10))
    assert caught.value.status_code == 413


@given(st.text(max_size=12))
def test_every_name_of_a_file_says_something(name):
    assert text_of_name(name) or not name


@given(st.floats(0, 90_000), st.sampled_from(["", "a", "a b c"]))
@settings(max_examples=50)
def test_times_of_subtitles_are_times(seconds, text):
    stamp = Transcript(text, seconds, "english").vtt().splitlines()[2].split(" --> ")[1]
    hours, minutes, rest = stamp.split(":")
    assert len(rest) == 6
    total = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    assert total == pytest.approx(seconds, abs=0.001)
