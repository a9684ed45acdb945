"""A tone as a sound file: WAV, bare samples, or MP3.

Sources: OpenAI's guide "Text to speech" (`pcm` has 16-bit samples at 24 kHz, without a header);
ISO/IEC 11172-3 and 13818-3, audio layer III. An MP3 of a steady tone needs no encoder: each frame
is the same, with one spectral line that is not zero.
"""

from __future__ import annotations

import io
import math
import struct
import wave

RATE = 24_000
PERIOD = 50
"""Samples of a wave: 480 Hz."""

LOUDNESS = 8_000
SAMPLES_OF_FRAME = 576

_FRAME = bytes.fromhex("fff384c0000078332800084200ffe4").ljust(192, b"\0")
"""A frame of an MP3: MPEG-2, layer III, no checksum; 64 kbit/s, 24 kHz; one channel.

Its spectral line 23 alone is not zero, which is a tone of 24 kHz / 2 / 576 * 23.5 = 490 Hz.
"""


def samples(seconds: float) -> bytes:
    """A tone as samples, in whole waves."""
    waved = [round(LOUDNESS * math.sin(2 * math.pi * at / PERIOD)) for at in range(PERIOD)]
    return struct.pack(f"<{PERIOD}h", *waved) * max(round(seconds * RATE / PERIOD), 1)


def wav(seconds: float) -> bytes:
    """A tone as a WAV file."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples(seconds))
    return made.getvalue()


def mp3(seconds: float) -> bytes:
    """A tone as an MP3 file."""
    return _FRAME * max(round(seconds * RATE / SAMPLES_OF_FRAME), 1)


FORMATS = {"mp3": (mp3, "audio/mpeg"), "wav": (wav, "audio/wav"), "pcm": (samples, "audio/pcm")}
"""What can be made of a tone, and its media type."""
