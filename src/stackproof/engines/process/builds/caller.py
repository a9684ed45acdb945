"""What of the caller a build gets: its proxies, its registries, whom it trusts."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from stackproof.engines.process.world.spec import MountSpec
from stackproof.plan.world.model import Account
from stackproof.stack_file.regular_files import read_text_file

CONFIG = "/run/stackproof/config"
"""Where rooms of builds have files of the caller."""

TRUSTED = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
           "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT")  # fmt: skip

_PASSED_ON = re.compile(
    r"(?:https?|all|no|ftp)_proxy|GO(?:PROXY|SUMDB|NOSUMDB|PRIVATE|NOPROXY|INSECURE)"
    r"|npm_config_(?!prefix$|cache$|userconfig$|globalconfig$|local_|global_|init_|node_gyp$|user_)\w+"
    r"|YARN_(?:NPM_REGISTRY_SERVER|REGISTRY)|COREPACK_\w+|MAVEN_OPTS|GRADLE_OPTS"
    r"|PIP_\w+|UV_(?:DEFAULT_|EXTRA_)?INDEX(?:_URL)?",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\$\{(\w+)\}")
_REGISTRY = re.compile(r"^registry\s*=\s*(\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Caller:
    """What a build gets.

    Attributes:
        environment: Variables; those of the Dockerfile are stronger.
        mounts: Files of this machine, read-only.
        in_home: Files that lie in the home of whoever runs a step: path in there → file.
    """

    environment: Mapping[str, str]
    mounts: tuple[MountSpec, ...]
    in_home: Mapping[str, Path]

    def mounts_for(self, user: Account, copies: Path) -> Iterator[MountSpec]:
        """The files as a user of a room sees them; root's own are copied for another one.

        Args:
            user: The user.
            copies: A folder of the run for copies.
        """
        home = (
            MountSpec(f"{user.home}/{name}", str(path), read_only=True)
            for name, path in self.in_home.items()
        )
        is_other = os.geteuid() == 0 and user.uid != 0
        for number, mount in enumerate((*self.mounts, *home)):
            if is_other and Path(mount.source).is_file():
                upper, owner = str(copies / str(number)), (user.uid, user.gid)
                yield replace(mount, kind="overlay", read_only=False, upper=upper, owner=owner)
            else:
                yield mount


def caller_of(environment: Mapping[str, str]) -> Caller:
    """What a build gets of the caller.

    Args:
        environment: The caller's environment.
    """
    passed = {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}
    trusted = {name: environment[name] for name in TRUSTED if environment.get(name)}
    mounts = [
        MountSpec(path, path, read_only=True)
        for path in dict.fromkeys(trusted.values())
        if Path(path).is_absolute() and Path(path).exists() and not path.startswith("/etc/ssl/")
    ]
    network = (f"/etc/{name}" for name in ("resolv.conf", "hosts"))
    mounts += [MountSpec(path, path, read_only=True) for path in network]
    home = Path(environment.get("HOME") or "~").expanduser()
    for variable, path in _config_files(environment, home):
        place = f"{CONFIG}/{variable.lower()}"
        mounts.append(MountSpec(place, str(path), read_only=True))
        passed[variable] = place
        if variable == "NPM_CONFIG_USERCONFIG":
            passed |= _named_in(read_text_file(path, errors="replace"), environment)
    in_home = {name: home / name for name in _IN_HOME if (home / name).exists()}
    return Caller({**passed, **trusted, **_QUIET}, tuple(mounts), in_home)


_IN_HOME = (".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties",
            ".gradle/init.d")  # fmt: skip
_QUIET = {"COREPACK_ENABLE_DOWNLOAD_PROMPT": "0", "NPM_CONFIG_UPDATE_NOTIFIER": "false"}


def _config_files(environment: Mapping[str, str], home: Path) -> Iterator[tuple[str, Path]]:
    npm = environment.get("NPM_CONFIG_USERCONFIG") or environment.get("npm_config_userconfig")
    found = {
        "NPM_CONFIG_USERCONFIG": Path(npm) if npm else home / ".npmrc",
        "NPM_CONFIG_GLOBALCONFIG": Path("/etc/npmrc"),
        "GOENV": Path(environment.get("GOENV") or home / ".config/go/env"),
    }
    yield from ((name, path) for name, path in found.items() if path.is_file())


def _named_in(text: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that npm's settings name, such as a token, and its registry for corepack."""
    found = {name: environment[name] for name in _NAMED.findall(text) if name in environment}
    registry = _REGISTRY.search(text)
    if registry and "COREPACK_NPM_REGISTRY" not in environment:
        found["COREPACK_NPM_REGISTRY"] = registry[1].rstrip("/")
    return found
