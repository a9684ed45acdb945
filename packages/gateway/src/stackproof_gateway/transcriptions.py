"""Transcription and translation: what a script says is heard, else the words of the file's name.

Sources: OpenAI API reference, "Create transcription" and "Create translation"; the texts about
formats are those that users of the API have reported (2023 to 2025).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from stackproof_gateway.bodies import MEBIBYTE
from stackproof_gateway.call import Answer, Call
from stackproof_gateway.delivery import EventStream, plain
from stackproof_gateway.encoding import Closing, event, to_bytes
from stackproof_gateway.errors import ProviderError
from stackproof_gateway.forms import Form, read_form
from stackproof_gateway.generation import BROKEN_STREAM, consult, fault_pacing, openai_error_event
from stackproof_gateway.prompt import Prompt
from stackproof_gateway.replies import pieces
from stackproof_gateway.requests import check_choice, model_of, unknown_fields
from stackproof_gateway.scripts import AT_ONCE
from stackproof_gateway.transcripts import Transcript, seconds_of, text_of_name

LARGEST_AUDIO = 25 * MEBIBYTE
KNOWN_FIELDS = frozenset(
    "chunking_strategy file include keywords known_speaker_names known_speaker_references language "
    "languages model prompt response_format stream temperature timestamp_granularities".split()
)
SUFFIXES = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
BY_TOKENS = ("gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe")
"""Beginnings of names of models that bill tokens, can stream, and know two formats alone."""


def listener(task: str) -> Answer:
    """The answer of an endpoint that hears something.

    Args:
        task: `transcribe` or `translate`.
    """

    async def answer(call: Call) -> Response:
        form = await read_form(call)
        model = call.entry.model = model_of({"model": form.text("model")})
        call.entry.unknown_fields = unknown_fields(form.names(), KNOWN_FIELDS)
        file = form.file("file", LARGEST_AUDIO)
        _check_suffix(file.name)
        wanted = form.text("response_format") or "json"
        _check_format(wanted, model)
        streamed = form.text("stream") == "true" and model.startswith(BY_TOKENS)
        call.entry.streamed = streamed
        pacing = await fault_pacing(call, stream=streamed)
        asked = Prompt(model, call.entry.path, last=f"{file.name}\n{form.text('prompt') or ''}")
        scripted = None if pacing else await consult(call, asked)
        pacing = pacing or (scripted.pacing if scripted else AT_ONCE)
        said = scripted.reply.content if scripted and scripted.reply else None
        text = text_of_name(file.name) if said is None else said
        language = "english" if task == "translate" else form.text("language") or "english"
        heard = Transcript(text, seconds_of(file.contents.read(), text), language)
        call.entry.reply = call.request.app.state.hiding.short(text)
        if streamed:
            call.entry.client_closed = True
            failed = openai_error_event(BROKEN_STREAM)
            return EventStream(_events(heard), pacing, failed, call.stream_done)
        content, media_type = _written(heard, wanted, form, task, model)
        answer = plain(content, pacing)
        answer.headers["content-type"] = media_type
        return answer

    return answer


def _check_suffix(name: str) -> None:
    if name.rpartition(".")[2].lower() not in SUFFIXES:
        message = f"Unrecognized file format. Supported formats: {list(SUFFIXES)}"
        raise ProviderError(400, message, param="file")


def _check_format(wanted: str, model: str) -> None:
    if "diarize" in model:
        check_choice(wanted, "response_format", ("json", "text", "diarized_json"))
        return
    check_choice(wanted, "response_format", FORMATS)
    if model.startswith(BY_TOKENS) and wanted not in {"json", "text"}:
        raise ProviderError(
            400,
            f"response_format '{wanted}' is not compatible with model '{model}'. Use 'json' or "
            "'text' instead.",
            param="response_format",
            code="unsupported_value",
        )


def _written(
    heard: Transcript, wanted: str, form: Form, task: str, model: str
) -> tuple[bytes, str]:
    """What is heard in a format, and its media type."""
    texts = {"text": f"{heard.text}\n", "srt": heard.srt(), "vtt": heard.vtt()}
    if wanted in texts:
        return texts[wanted].encode("utf-8", "replace"), "text/plain; charset=utf-8"
    value: dict[str, Any] = {"text": heard.text}
    if wanted == "verbose_json":
        value |= {"task": task, "language": heard.language, "duration": heard.seconds}
        granularities = form.texts("timestamp_granularities[]") or ["segment"]
        if "segment" in granularities:
            value["segments"] = [heard.segment()]
        if "word" in granularities:
            value["words"] = heard.words()
    if wanted == "diarized_json":
        part = {"type": "transcript.text.segment", "id": "seg_1", "speaker": "A", "start": 0.0,
                "end": heard.seconds, "text": heard.text}  # fmt: skip
        value |= {"task": task, "duration": heard.seconds, "segments": [part]}
    if task == "transcribe":
        value["usage"] = heard.usage(tokens=model.startswith(BY_TOKENS))
    return to_bytes(value), "application/json"


def _events(heard: Transcript) -> Iterator[bytes]:
    for piece in pieces(heard.text):
        yield event({"type": "transcript.text.delta", "delta": piece})
    done = {"type": "transcript.text.done", "text": heard.text, "usage": heard.usage(tokens=True)}
    yield Closing(event(done))
