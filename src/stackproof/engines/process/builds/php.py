"""PHP for builds: Debian's packages, with the folders and programs of the official images.

Sources: the Dockerfiles of the official images of PHP, and Debian's php-common (phpenmod), which
enables an extension by a link to its settings, ordered by the priority that these name.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from stackproof.engines.process.builds.system_packages import package_layer
from stackproof.engines.process.builds.toolchain import (
    Around,
    BaseLayers,
    asked,
    fits,
    read_version,
    usr_of,
)
from stackproof.engines.process.images.search import on_path
from stackproof.errors import EngineUnavailable

PARTS = 2
"""Parts of a version that must be the same: 8.2 is no 8.3."""

USUAL = ("mbstring", "xml", "curl")
"""What the official images have, and Debian packs by itself."""

PACKAGES = {
    "mysqli": "mysql", "pdo_mysql": "mysql", "pgsql": "pgsql", "pdo_pgsql": "pgsql",
    "pdo_sqlite": "sqlite3", "sqlite3": "sqlite3", "gd": "gd", "intl": "intl", "zip": "zip",
    "bcmath": "bcmath", "soap": "soap", "gmp": "gmp", "ldap": "ldap", "bz2": "bz2",
    "redis": "redis", "memcached": "memcached", "xdebug": "xdebug", "imagick": "imagick",
    "apcu": "apcu", "amqp": "amqp", "mongodb": "mongodb",
}  # fmt: skip
"""Extensions, as docker-php-ext-install and pecl call them, to the part of a package's name."""

BUILT_IN = frozenset(
    """
    calendar ctype curl dom exif ffi fileinfo filter ftp gettext iconv json mbstring mysqlnd opcache
    pcntl pdo phar posix session shmop simplexml sockets sysvmsg sysvsem sysvshm tokenizer xml
    xmlreader xmlwriter xsl
    """.split()
)
"""Those that come with what is always there."""

BY_PECL = frozenset({"redis", "memcached", "xdebug", "imagick", "apcu", "amqp", "mongodb"})
"""Packages without the version of PHP in their names."""

_INSTALLED = re.compile(r"(?:docker-php-ext-(?:install|enable)|pecl\s+install)\s+([^&|;\n]{1,500})")
_NAME = re.compile(r"[a-z][a-z0-9_]*(?:-[\d.]+)?")
_PRIORITY = re.compile(r";\s*priority=(\d+)")

FPM = """\
[global]
error_log = /proc/self/fd/2
daemonize = no
include = /usr/local/etc/php-fpm.d/*.conf
"""
POOL = """\
[www]
user = www-data
group = www-data
listen = 9000
pm = dynamic
pm.max_children = 5
pm.start_servers = 2
pm.min_spare_servers = 1
pm.max_spare_servers = 3
access.log = /proc/self/fd/2
catch_workers_output = yes
decorate_workers_output = no
clear_env = no
"""
RUN_FPM = """\
#!/bin/sh
exec /usr/sbin/php-fpm{version} --fpm-config /usr/local/etc/php-fpm.conf "$@"
"""
ENTRYPOINT = """\
#!/bin/sh
set -e
if [ "${1#-}" != "$1" ]; then set -- php "$@"; fi
exec "$@"
"""


def php_layers(around: Around) -> BaseLayers:
    """The layers of an image of PHP.

    Raises:
        EngineUnavailable: If Debian's PHP is of another version.
    """
    wanted = ".".join(around.base.version.split(".")[:PARTS])
    version = wanted if wanted.count(".") == PARTS - 1 else _installed(wanted)
    wished = extensions_in(around.text) - BUILT_IN
    unknown = sorted(wished - PACKAGES.keys())
    if unknown:
        raise _unavailable(around, f"no package of the extensions {', '.join(unknown)} is known")
    packages = [f"php{version}-{name}" for name in ("cli", "fpm", *USUAL)]
    named = {PACKAGES[one] for one in wished}
    packages += [f"php-{one}" if one in BY_PECL else f"php{version}-{one}" for one in sorted(named)]
    try:
        found = package_layer(packages, around.shelf, around.cache, around.runner).layer
    except EngineUnavailable as error:
        raise _unavailable(around, f"no {', '.join(packages)}") from error
    below = () if found is None else (found,)
    layer = around.layer(("php", version, packages, found), partial(_laid_out, found, version))
    notices = around.stands_in("PHP", version, "Debian's packages", wanted)
    names = " ".join(one.name for one in (*below, layer))
    return BaseLayers((*below, layer), f"{names} {version}", notices)


def _unavailable(around: Around, what: str) -> EngineUnavailable:
    return EngineUnavailable(
        f"nothing stands for {around.base.reference} on this machine",
        checked=[f"Debian's packages: {what}"],
        remedy="name a version in the Dockerfile that this machine's Debian has, leave the service "
        "out by `services: {exclude: [...]}`, or use --engine compose",
    )


def extensions_in(text: str) -> set[str]:
    """The extensions that a shell text installs.

    Args:
        text: What a stage runs.
    """
    found = (word for part in _INSTALLED.findall(text) for word in part.split())
    return {re.sub(r"-[\d.]+$", "", word) for word in found if _NAME.fullmatch(word)}


def _installed(wanted: str) -> str:
    """The version of this machine's PHP, else of Debian 12, if it fits."""
    for program, _ in on_path("php"):
        version = ".".join(read_version(asked(program, "--version")).split(".")[:PARTS])
        if fits(version, wanted, 1):
            return version
    return "8.2" if fits("8.2", wanted, 1) else wanted


def _laid_out(packages: Path | None, version: str, draft: Path) -> None:
    local = usr_of(draft) / "local"
    settings = local / "etc/php/conf.d"
    settings.mkdir(parents=True)
    (local / "bin").mkdir()
    (local / "sbin").mkdir()
    (local / "etc/php-fpm.d").mkdir()
    roots = [Path("/usr"), *([packages / "parts/usr"] if packages else [])]
    for root in roots:
        for path in root.glob("share/php*-*/*/*.ini"):
            if path.parent.parent.name.startswith((f"php{version}-", "php-")):
                text = path.read_text(encoding="utf-8")
                match = _PRIORITY.search(text)
                name = f"{match[1] if match else 20}-{path.name}"
                (settings / name).write_text(text, encoding="utf-8")
    (local / "bin/php").symlink_to(f"/usr/bin/php{version}")
    (local / "etc/php-fpm.conf").write_text(FPM, encoding="utf-8")
    (local / "etc/php-fpm.d/www.conf").write_text(POOL, encoding="utf-8")
    for name, text in (("sbin/php-fpm", RUN_FPM.format(version=version)),
                       ("bin/docker-php-entrypoint", ENTRYPOINT)):  # fmt: skip
        (local / name).write_text(text, encoding="utf-8")
        (local / name).chmod(0o755)
