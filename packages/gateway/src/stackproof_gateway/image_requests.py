"""Requests for images: what the provider refuses, by family of models, and what is asked for.

Source: OpenAI API reference, "Images". The texts about `response_format`, about `n` and about files
that are no images are those that users of the API have reported (2023 to 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackproof_gateway.errors import ProviderError, bad_type, bad_value, missing
from stackproof_gateway.requests import (
    BOOLEAN,
    STRING,
    check_choice,
    check_count,
    check_length,
    check_shapes,
    shapes,
)

MOST_IMAGES = 10
MOST_PARTIAL = 3
LONGEST_SIDE, MOST_PIXELS = 3840, 3840 * 2160
FREE = "free"
"""Any size of multiples of 16, within the provider's bounds."""

KNOWN_FIELDS = frozenset(
    "background complexity frame_count frame_duration_ms image input_fidelity markup mask model "
    "moderation n output_compression output_format partial_images prompt quality response_format "
    "safety_identifier size stream style svg user".split()
)
_SHAPES = shapes({
    BOOLEAN: "stream",
    STRING: "background output_format quality response_format size style user",
})  # fmt: skip
_SIZE = re.compile(r"([1-9]\d{1,3})x([1-9]\d{1,3})")


@dataclass(frozen=True)
class Family:
    """What a family of models takes.

    Attributes:
        sizes: Sizes, the first one where nothing is said; None for any.
        longest: Most characters of a prompt.
        qualities: Qualities, the first one where nothing is said.
        always_data: Whether it answers with data alone, and takes no `response_format`.
    """

    sizes: tuple[str, ...] | None
    longest: int
    qualities: tuple[str, ...]
    always_data: bool = False


_GPT = ("auto", "low", "medium", "high", "xhigh", "max")
_GPT_SIZES = ("1024x1024", "1536x1024", "1024x1536")
FAMILIES = (
    ("dall-e-2", Family(("1024x1024", "256x256", "512x512"), 1000, ("standard",))),
    ("dall-e-3", Family(("1024x1024", "1792x1024", "1024x1792"), 4000, ("standard", "hd"))),
    ("gpt-image-1", Family((*_GPT_SIZES, "auto"), 32_000, _GPT, always_data=True)),
    ("chatgpt-image", Family((*_GPT_SIZES, "auto"), 32_000, _GPT, always_data=True)),
    ("gpt-image", Family((FREE,), 32_000, _GPT, always_data=True)),
)
"""By the beginning of the model's name; the first one counts."""

OTHER = Family(None, 32_000, ("standard", "hd", *_GPT))


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        prompt: The prompt; empty for a variation.
        width: Pixels.
        height: Pixels.
        count: How many images.
        as_url: Whether an address is told instead of the data.
        gpt: Whether the answer tells what those of GPT models do.
        quality: The quality.
        transparent: Whether the background is.
        stream: Whether the answer is a stream.
        partial: Images that are not done yet, in a stream.
    """

    prompt: str
    width: int
    height: int
    count: int
    as_url: bool
    gpt: bool
    quality: str
    transparent: bool
    stream: bool
    partial: int

    @property
    def size(self) -> str:
        """The size as the API writes it."""
        return f"{self.width}x{self.height}"


def family_of(model: str) -> Family:
    """What a model takes; an unknown one takes everything."""
    return next((family for name, family in FAMILIES if model.startswith(name)), OTHER)


def read_wanted(body: Mapping[str, Any], model: str, *, prompted: bool = True) -> Wanted:
    """What a request asks for.

    Args:
        body: Its fields.
        model: The model.
        prompted: Whether it has a prompt.

    Raises:
        ProviderError: If the provider refuses it.
    """
    family, given = family_of(model), dict(body)
    check_shapes(given, _SHAPES)
    width, height = _size(given.get("size"), family)
    _check_form(given, family)
    count = check_count(given, "n", MOST_IMAGES) or 1
    if count > 1 and model.startswith("dall-e-3"):
        raise ProviderError(400, "You must provide n=1 for this model.", param="n",
                            code="invalid_value")  # fmt: skip
    quality = given.get("quality") or family.qualities[0]
    check_choice(quality, "quality", family.qualities)
    partial = check_count(given, "partial_images", MOST_PARTIAL, lowest=0) or 0
    return Wanted(
        prompt=_prompt(given, family) if prompted else "",
        width=width,
        height=height,
        count=count,
        as_url=not family.always_data and given.get("response_format") != "b64_json",
        gpt=family.always_data,
        quality="medium" if quality == "auto" else quality,
        transparent=given.get("background") == "transparent",
        stream=given.get("stream") is True,
        partial=partial,
    )


def _prompt(given: dict[str, Any], family: Family) -> str:
    prompt = given.get("prompt")
    if prompt is None or prompt == "":
        raise missing("prompt")
    if not isinstance(prompt, str):
        raise bad_type("prompt", "a string", prompt)
    check_length(prompt, "prompt", family.longest)
    return prompt


def _size(size: str | None, family: Family) -> tuple[int, int]:
    if family.sizes and family.sizes != (FREE,) and size is not None:
        check_choice(size, "size", family.sizes)
    if size in {None, "auto"}:
        return 1024, 1024
    read = _SIZE.fullmatch(str(size))
    if read is None:
        raise bad_value("size", f"Invalid value: {str(size)[:40]!r}. A size is WIDTHxHEIGHT.")
    width, height = int(read[1]), int(read[2])
    if family.sizes == (FREE,) and (width % 16 or height % 16 or not 1 / 3 <= width / height <= 3):  # noqa: PLR2004 - the provider's
        raise bad_value("size", f"Invalid value: {size!r}. Width and height must be divisible by "
                        "16, and their ratio between 1:3 and 3:1.")  # fmt: skip
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise bad_value("size", f"Invalid value: {size!r}. The maximum is 3840x2160.")
    return width, height


def _check_form(given: dict[str, Any], family: Family) -> None:
    wanted, made_as = given.get("response_format"), given.get("output_format")
    if wanted is not None and family.always_data:
        raise ProviderError(400, "Unknown parameter: 'response_format'.", param="response_format",
                            code="unknown_parameter")  # fmt: skip
    if wanted is not None:
        check_choice(wanted, "response_format", ("url", "b64_json"))
    if made_as in {"webp", "jpeg", "gif", "svg"}:
        raise ProviderError(400, f"This gateway can't make {made_as}: it makes png.",
                            param="output_format", code="unsupported_format")  # fmt: skip
    if made_as is not None:
        check_choice(made_as, "output_format", ("png", "webp", "jpeg", "gif", "svg"))
