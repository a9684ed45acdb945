"""Speech: a tone that is as long as the text, in the format that is asked for.

Source: OpenAI API reference, "Create speech". The formats opus, aac and flac are refused: the
gateway has no encoder for them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from stackproof_gateway.call import Call
from stackproof_gateway.delivery import EventStream
from stackproof_gateway.encoding import Closing, event
from stackproof_gateway.errors import ProviderError, bad_type, missing
from stackproof_gateway.generation import BROKEN_STREAM, consult, fault_pacing, openai_error_event
from stackproof_gateway.prompt import Prompt, count_tokens
from stackproof_gateway.requests import check_choice, check_length, check_number
from stackproof_gateway.scripts import AT_ONCE
from stackproof_gateway.tones import FORMATS

KNOWN_FIELDS = frozenset(
    "input instructions model response_format speed stream_format voice".split()
)
LONGEST_INPUT = 4096
REFUSED_FORMATS = ("opus", "aac", "flac")
SECONDS_A_WORD = 0.1
OLD_MODELS = ("tts-1", "tts-1-hd")
EVENT_BYTES = 16 * 1024


async def create_speech(call: Call) -> Response:
    """Say a text."""
    body = call.body(KNOWN_FIELDS)
    text = _input(body)
    made_as = body.get("response_format") or "mp3"
    streamed = _is_stream(body)
    check_number(body, "speed", 0.25, 4.0)
    call.entry.streamed = streamed
    pacing = await fault_pacing(call, stream=streamed)
    scripted = None
    if pacing is None:
        scripted = await consult(call, Prompt(call.entry.model, call.entry.path, last=text))
    pacing = pacing or (scripted.pacing if scripted else AT_ONCE)
    make, media_type = FORMATS[made_as]
    words = count_tokens(text)
    sound = make(words * SECONDS_A_WORD / (body.get("speed") or 1.0))
    call.entry.reply = f"{len(sound)} bytes of {made_as}"
    call.entry.usage = {"prompt_tokens": words, "completion_tokens": words,
                        "total_tokens": 2 * words}  # fmt: skip
    if not streamed:
        call.is_cut = pacing.cut_after is not None
        return Response(sound, media_type=media_type)
    call.entry.client_closed = True
    failed = openai_error_event(BROKEN_STREAM)
    return EventStream(_events(sound, words), pacing, failed, call.stream_done)


def _input(body: dict[str, Any]) -> str:
    for name in ("input", "voice"):
        if body.get(name) is None:
            raise missing(name)
    voice = body["voice"]
    if not isinstance(voice, str) and not (isinstance(voice, dict) and "id" in voice):
        raise bad_type("voice", "a string", voice)
    text = body["input"]
    if not isinstance(text, str):
        raise bad_type("input", "a string", text)
    check_length(text, "input", LONGEST_INPUT)
    if not text:
        raise ProviderError(400, "Invalid 'input': string too short. Expected a string with "
                            "minimum length 1, but got a string with length 0 instead.",
                            param="input", code="string_below_min_length")  # fmt: skip
    made_as = body.get("response_format")
    if made_as in REFUSED_FORMATS:
        message = f"This gateway can't make {made_as}: it makes {', '.join(FORMATS)}."
        raise ProviderError(400, message, param="response_format", code="unsupported_format")
    if made_as is not None:
        check_choice(made_as, "response_format", (*FORMATS, *REFUSED_FORMATS))
    return text


def _is_stream(body: dict[str, Any]) -> bool:
    given = body.get("stream_format")
    if given is not None:
        check_choice(given, "stream_format", ("sse", "audio"))
    if given == "sse" and body["model"] in OLD_MODELS:
        message = f"'stream_format' 'sse' is not supported for {body['model']}."
        raise ProviderError(400, message, param="stream_format", code="unsupported_value")
    return given == "sse"


def _events(sound: bytes, words: int) -> Iterator[bytes]:
    for at in range(0, len(sound), EVENT_BYTES):
        audio = base64.b64encode(sound[at : at + EVENT_BYTES]).decode()
        yield event({"type": "speech.audio.delta", "audio": audio})
    usage = {"input_tokens": words, "output_tokens": words, "total_tokens": 2 * words}
    yield Closing(event({"type": "speech.audio.done", "usage": usage}))
