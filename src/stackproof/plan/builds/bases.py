"""Images that a stage of a Dockerfile may start from here, by their references.

Sources: the Dockerfiles of the official images on Docker Hub, and the README of distroless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from stackproof.plan.builds.model import SYSTEM_PATH, Base

_SYSTEMS = frozenset(
    "debian ubuntu alpine busybox scratch buildpack-deps static static-debian11 static-debian12 "
    "static-debian13 base base-debian11 base-debian12 base-debian13 base-nossl-debian12 cc "
    "cc-debian11 cc-debian12 cc-debian13 debian-slim".split()
)
_OF_DISTROLESS = re.compile(r"^(?:static|base|cc)")
_JAVA = frozenset(
    "eclipse-temurin openjdk amazoncorretto temurin ibm-semeru-runtimes zulu-openjdk "
    "zulu-openjdk-alpine zulu-openjdk-debian liberica-openjdk-alpine liberica-openjdk-debian "
    "liberica-openjre-alpine liberica-openjre-debian sapmachine".split()
)
_NODE_NAMES = {"argon": "4", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16",
               "hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}  # fmt: skip
"""Names of Node's long-term versions, as tags have them."""

_VERSION = re.compile(r"^v?(\d+(?:\.\d+){0,2})")
_JDK = re.compile(r"(?:^|-)(?:jdk|jre|temurin|openjdk|corretto|semeru|zulu)-?(\d+)")
_OF_NODE = re.compile(r"^nodejs(\d+)")
_OF_JAVA = re.compile(r"^java(\d+)")

JAVA_HOME = "/opt/java/openjdk"
GRADLE_HOME = "/opt/gradle"
GO_ROOT = "/usr/local/go"

_OTHERS = frozenset(
    "php ruby rails rust dotnet sdk aspnet elixir erlang bun deno httpd caddy traefik perl swift "
    "haskell clojure julia composer wordpress drupal ghost tomcat jetty wildfly haproxy flutter "
    "crystal nim dart elasticsearch kibana grafana mongo kong keycloak".split()
)

SUPPORTED = (
    "node, golang, eclipse-temurin, openjdk, maven, gradle, nginx, php (cli, fpm), debian, ubuntu, "
    "alpine, scratch, distroless"
)
"""The images in words."""


def base_of(reference: str) -> Base | None:
    """The base that a reference means; None for an image that can't be had here.

    Args:
        reference: Such as `node:20-alpine` or `gcr.io/distroless/static-debian12:nonroot`.
    """
    path = reference.partition("@")[0]
    head, _, last = path.rpartition("/")
    name, _, tag = last.partition(":")
    if head.endswith("distroless") or head == "distroless":
        return _distroless(reference, name)
    if _OF_DISTROLESS.match(name):
        return None
    if name in _SYSTEMS:
        return Base(reference)
    make = _MAKERS.get("java" if name in _JAVA else name)
    return make(reference, tag) if make is not None else None


def is_of_other_language(reference: str) -> bool:
    """Whether an image is known to need what can't be had here, such as PHP."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0] in _OTHERS


def _distroless(reference: str, name: str) -> Base | None:
    node, java = _OF_NODE.match(name), _OF_JAVA.match(name)
    if node:
        return Base(reference, "node", node[1], entrypoint=("node",))
    if java:
        return _with_java(reference, "java", "", java[1], entrypoint=("java", "-jar"))
    return Base(reference) if name in _SYSTEMS else None


def _version(tag: str) -> str:
    match = _VERSION.match(tag)
    return match[1] if match else ""


def _node(reference: str, tag: str) -> Base:
    named = _NODE_NAMES.get(tag.partition("-")[0], "")
    entrypoint, command = ("docker-entrypoint.sh",), ("node",)
    return Base(reference, "node", _version(tag) or named, entrypoint=entrypoint, command=command)


def _go(reference: str, tag: str) -> Base:
    environment = {
        "PATH": f"/go/bin:{GO_ROOT}/bin:{SYSTEM_PATH}",
        "GOPATH": "/go",
        "GOTOOLCHAIN": "local",
    }
    return Base(reference, "go", _version(tag), environment=environment, workdir="/go")


def _nginx(reference: str, tag: str) -> Base:
    is_unprivileged = "nginx-unprivileged" in reference
    return Base(
        reference,
        "nginx",
        _version(tag),
        entrypoint=("/docker-entrypoint.sh",),
        command=("nginx", "-g", "daemon off;"),
        ports=(8080 if is_unprivileged else 80,),
        user="101" if is_unprivileged else "",
    )


def _java(reference: str, tag: str) -> Base:
    return _with_java(reference, "java", "", _version(tag).partition(".")[0])


def _maven(reference: str, tag: str) -> Base:
    return _with_java(reference, "maven", _version(tag), _jdk(tag), MAVEN_CONFIG="/root/.m2")


def _gradle(reference: str, tag: str) -> Base:
    made = _with_java(reference, "gradle", _version(tag), _jdk(tag), GRADLE_HOME=GRADLE_HOME)
    return Base(**{**vars(made), "workdir": "/home/gradle", "command": ("gradle",)})


def _jdk(tag: str) -> str:
    match = _JDK.search(tag)
    return match[1] if match else ""


def _with_java(
    reference: str,
    kind: str,
    version: str,
    java: str,
    *,
    entrypoint: tuple[str, ...] | None = None,
    **environment: str,
) -> Base:
    path = f"{JAVA_HOME}/bin:{SYSTEM_PATH}"
    if kind == "gradle":
        path = f"{GRADLE_HOME}/bin:{path}"
    return Base(
        reference,
        "maven" if kind == "maven" else "gradle" if kind == "gradle" else "java",
        version,
        java,
        environment={"PATH": path, "JAVA_HOME": JAVA_HOME, **environment},
        entrypoint=entrypoint,
    )


def _php(reference: str, tag: str) -> Base | None:
    """PHP as a command or with FPM; Apache's module can't be had."""
    if "apache" in tag or "zts" in tag:
        return None
    is_fpm = "fpm" in tag
    return Base(
        reference,
        "php",
        _version(tag),
        environment={
            "PATH": SYSTEM_PATH,
            "PHP_INI_DIR": "/usr/local/etc/php",
            "PHP_INI_SCAN_DIR": "/usr/local/etc/php/conf.d",
            "PHPRC": "/usr/local/etc/php",
        },
        workdir="/var/www/html" if is_fpm else "/",
        entrypoint=("docker-php-entrypoint",),
        command=("php-fpm",) if is_fpm else ("php", "-a"),
    )


_MAKERS: Mapping[str, Callable[[str, str], Base | None]] = {
    "node": _node,
    "golang": _go,
    "nginx": _nginx,
    "nginx-unprivileged": _nginx,
    "java": _java,
    "maven": _maven,
    "gradle": _gradle,
    "php": _php,
}
