"""Known images without their containers: how the process engine runs each natively."""

from __future__ import annotations

from stackproof.engines.process.images.model import Launch, NativeImage, Runner, Server, Step
from stackproof.engines.process.images.postgres import Postgres
from stackproof.engines.process.images.redis import Redis

__all__ = ["Launch", "NativeImage", "Runner", "Server", "Step", "native_image"]

_IMAGES: dict[str, NativeImage] = {"postgres": Postgres(), "redis": Redis(), "valkey": Redis()}


def native_image(name: str) -> NativeImage:
    """What runs a known image.

    Args:
        name: `image` of a runtime.

    Raises:
        KeyError: If the image is not known; the plan refuses such images before.
    """
    return _IMAGES[name]
