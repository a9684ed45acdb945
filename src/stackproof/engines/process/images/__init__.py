"""Known images without their containers: how the process engine runs each natively."""

from __future__ import annotations

from stackproof.engines.process.images.caddy import CADDY
from stackproof.engines.process.images.mariadb import MariaDB
from stackproof.engines.process.images.memcached import Memcached
from stackproof.engines.process.images.model import (
    Launch,
    NativeImage,
    Runner,
    Server,
    Step,
    no_steps,
)
from stackproof.engines.process.images.nats import NATS
from stackproof.engines.process.images.nginx import Nginx
from stackproof.engines.process.images.one_program import of_config
from stackproof.engines.process.images.postgres import Postgres
from stackproof.engines.process.images.rabbitmq import RabbitMQ
from stackproof.engines.process.images.redis import Redis
from stackproof.engines.process.images.traefik import TRAEFIK
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

_IMAGES: dict[str, NativeImage] = {
    "caddy": CADDY,
    "mariadb": MariaDB(),
    "memcached": Memcached(),
    "mysql": MariaDB(),
    "nats": NATS,
    "nginx": Nginx(),
    "postgres": Postgres(),
    "rabbitmq": RabbitMQ(),
    "redis": Redis(),
    "traefik": TRAEFIK,
    "valkey": Redis(),
}


def image_of(runtime: Runtime) -> NativeImage:
    """What runs the image of a service: a known one, or a program that the stack config names.

    Args:
        runtime: The service's.
    """
    return native_image(runtime.image) if runtime.native is None else of_config(runtime.native)


def native_image(name: str) -> NativeImage:
    """What runs a known image.

    Args:
        name: `image` of a runtime.

    Raises:
        KeyError: If the image is not known; the plan refuses such images before.
    """
    return _IMAGES[name]
