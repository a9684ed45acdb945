"""The client of the image API: the web API that the usual Stable Diffusion servers offer.

The paths and fields are those of AUTOMATIC1111's `/sdapi/v1`; images travel as base64.
"""

from __future__ import annotations

import base64
from types import TracebackType
from typing import Any, Protocol, Self

import httpx

from imaging.planning import Payload

INTERRUPT_TIMEOUT = 5.0  # seconds; an answer to a button


class ApiError(Exception):
    """The image API did not give an image."""


class ImageApi(Protocol):
    """What makes the images."""

    def txt2img(self, payload: Payload) -> list[bytes]:
        """Make images from a prompt.

        Raises:
            ApiError: If there are none.
        """

    def img2img(self, payload: Payload) -> list[bytes]:
        """Make images from `init_images` and a prompt.

        Raises:
            ApiError: If there are none.
        """

    def upscale(self, payload: Payload) -> list[bytes]:
        """Enlarge `image`.

        Raises:
            ApiError: If there is none.
        """

    def interrupt(self) -> None:
        """End what is being made now.

        Raises:
            ApiError: If that can't be asked for.
        """


class ApiClient:
    """The image API over HTTP.

    Attributes:
        http: The connection.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float = 300.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect when it is first needed.

        Args:
            base_url: Address of the server, also one with a path.
            timeout: Seconds for one stage.
            transport: Instead of the network.
        """
        self.http = httpx.Client(base_url=base_url, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.http.close()

    def txt2img(self, payload: Payload) -> list[bytes]:
        """Make images from a prompt."""
        return self._images("/sdapi/v1/txt2img", payload)

    def img2img(self, payload: Payload) -> list[bytes]:
        """Make images from `init_images` and a prompt."""
        return self._images("/sdapi/v1/img2img", payload)

    def upscale(self, payload: Payload) -> list[bytes]:
        """Enlarge `image`."""
        path = "/sdapi/v1/extra-single-image"
        return [_decoded(path, _field(path, self._post(path, payload), "image", str))]

    def interrupt(self) -> None:
        """End what is being made now."""
        self._post("/sdapi/v1/interrupt", {}, timeout=INTERRUPT_TIMEOUT)

    def _images(self, path: str, payload: Payload) -> list[bytes]:
        images = _field(path, self._post(path, payload), "images", list)
        return [_decoded(path, image) for image in images]

    def _post(self, path: str, payload: Payload, *, timeout: float | None = None) -> Any:
        limit = self.http.timeout if timeout is None else timeout
        try:
            answer = self.http.post(path, json=payload, timeout=limit)
        except httpx.HTTPError as error:
            raise ApiError(f"{path}: {type(error).__name__}: {error}") from error
        if answer.status_code != httpx.codes.OK:
            raise ApiError(f"{path}: status {answer.status_code}: {answer.text[:500]}")
        try:
            return answer.json()
        except ValueError as error:
            raise ApiError(f"{path}: the answer is not JSON: {answer.text[:100]!r}") from error


def _field(path: str, answer: Any, name: str, kind: type) -> Any:
    found = answer.get(name) if isinstance(answer, dict) else None
    if not found or not isinstance(found, kind):
        raise ApiError(f"{path}: the answer has no {name!r}")
    return found


def _decoded(path: str, image: Any) -> bytes:
    """An image, which some servers send as a `data:` URL."""
    try:
        text = image.partition(",")[2] if image.startswith("data:") else image
        return base64.b64decode(text, validate=True)
    except (AttributeError, ValueError) as error:
        raise ApiError(f"{path}: an image of the answer is not base64") from error
