"""Known images without their containers: how the process engine runs each natively."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from stackproof.engines.process.images.model import (
    Launch,
    NativeImage,
    Runner,
    Server,
    Step,
    no_steps,
)
from stackproof.plan.runtime import Runtime

__all__ = [
    "Launch",
    "NativeImage",
    "Runner",
    "Server",
    "Step",
    "image_of",
    "native_image",
    "no_steps",
]

_IMAGES: dict[str, tuple[str, str]] = {
    "caddy": ("caddy", "CADDY"),
    "mariadb": ("mariadb", "MariaDB"),
    "memcached": ("memcached", "Memcached"),
    "mysql": ("mariadb", "MariaDB"),
    "nats": ("nats", "NATS"),
    "nginx": ("nginx", "Nginx"),
    "postgres": ("postgres", "Postgres"),
    "rabbitmq": ("rabbitmq", "RabbitMQ"),
    "redis": ("redis", "Redis"),
    "traefik": ("traefik", "TRAEFIK"),
    "valkey": ("redis", "Redis"),
}
"""Module of this package, and the image in it or its class; loaded when a stack has it."""


def image_of(runtime: Runtime) -> NativeImage:
    """What runs the image of a service: a known one, or a program that the stack config names.

    Args:
        runtime: The service's.
    """
    if runtime.native is None:
        return native_image(runtime.image)
    from stackproof.engines.process.images.one_program import of_config

    return of_config(runtime.native)


@cache
def native_image(name: str) -> NativeImage:
    """What runs a known image.

    Args:
        name: `image` of a runtime.

    Raises:
        KeyError: If the image is not known; the plan refuses such images before.
    """
    module, image = _IMAGES[name]
    found = getattr(import_module(f"{__name__}.{module}"), image)
    return cast("NativeImage", found() if isinstance(found, type) else found)
