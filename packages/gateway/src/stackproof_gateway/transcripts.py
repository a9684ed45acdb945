"""What is heard in a sound file, in the forms that the API has for it.

Source: OpenAI API reference, "Create transcription": JSON, text, subtitles (SubRip, WebVTT), and a
verbose form with times.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import wave
from dataclasses import dataclass
from typing import Any

from stackproof_gateway.prompt import count_tokens

SECONDS_A_WORD = 0.4
_BETWEEN_WORDS = re.compile(r"[\s_.+-]+")


@dataclass(frozen=True)
class Transcript:
    """What is heard.

    Attributes:
        text: The text.
        seconds: How long the sound is.
        language: Its language.
    """

    text: str
    seconds: float
    language: str

    def words(self) -> list[dict[str, Any]]:
        """The words, each as long as the others."""
        words = self.text.split()
        each = self.seconds / max(len(words), 1)
        return [
            {"word": word, "start": round(at * each, 2), "end": round((at + 1) * each, 2)}
            for at, word in enumerate(words)
        ]

    def segment(self) -> dict[str, Any]:
        """All of it as the one segment."""
        return {
            "id": 0, "seek": 0, "start": 0.0, "end": self.seconds, "text": self.text,
            "tokens": list(range(count_tokens(self.text))), "temperature": 0.0,
            "avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.01,
        }  # fmt: skip

    def usage(self, *, tokens: bool) -> dict[str, Any]:
        """What it costs: by tokens, or by seconds."""
        if not tokens:
            return {"type": "duration", "seconds": math.ceil(self.seconds)}
        heard, said = math.ceil(self.seconds * 10), count_tokens(self.text)
        details = {"text_tokens": 0, "audio_tokens": heard}
        return {"type": "tokens", "input_tokens": heard, "input_token_details": details,
                "output_tokens": said, "total_tokens": heard + said}  # fmt: skip

    def srt(self) -> str:
        """SubRip."""
        return f"1\n{_time(0, ',')} --> {_time(self.seconds, ',')}\n{self.text}\n\n"

    def vtt(self) -> str:
        """WebVTT."""
        return f"WEBVTT\n\n{_time(0, '.')} --> {_time(self.seconds, '.')}\n{self.text}\n\n"


def _time(seconds: float, point: str) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{point}{milliseconds:03}"


def text_of_name(name: str) -> str:
    """What is heard in a file of that name: its words."""
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    return _BETWEEN_WORDS.sub(" ", stem).strip() or name


def seconds_of(data: bytes, text: str) -> float:
    """How long a sound is: as a WAV file says, else as it takes to say the text."""
    with (
        contextlib.suppress(wave.Error, EOFError, ZeroDivisionError),
        wave.open(io.BytesIO(data)) as file,
    ):
        return float(round(file.getnframes() / file.getframerate(), 2))
    return round(count_tokens(text) * SECONDS_A_WORD, 2)
