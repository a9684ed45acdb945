"""What a service asks of the kernel: limits, settings, rights; and what of it a room can give."""

from __future__ import annotations

from collections.abc import Iterator

from stackproof.stack_file.model import Service

LIMITS = frozenset({
    "as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
    "rtprio", "rttime", "sigpending", "stack",
})  # fmt: skip
"""Names of `ulimits`, as setrlimit(2) has them."""

_OWN_SETTINGS = ("net.", "fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm")
"""Settings that each room has for itself: namespaces(7), network and ipc."""

CAPABILITIES = {
    "CHOWN": 0, "DAC_OVERRIDE": 1, "FOWNER": 3, "FSETID": 4, "KILL": 5, "SETGID": 6, "SETUID": 7,
    "SETPCAP": 8, "NET_BIND_SERVICE": 10, "NET_RAW": 13, "SYS_CHROOT": 18, "MKNOD": 27,
    "AUDIT_WRITE": 29, "SETFCAP": 31,
}  # fmt: skip
"""What Docker gives by default: capabilities(7)."""

HARMLESS = {"NET_BROADCAST": 11, "NET_ADMIN": 12, "IPC_LOCK": 14, "IPC_OWNER": 15, "LEASE": 28}
"""What can be added: with it nothing outside the room is reached, nor a mount of it changed."""


def settings_of(service: Service) -> dict[str, str]:
    """The settings of the kernel that its room has for itself."""
    return {key: value for key, value in service.sysctls.items() if _is_own(service, key)}


def limits_of(service: Service) -> dict[str, tuple[int, int]]:
    """The limits of its processes; -1 stands for none."""
    return {name: value for name, value in service.ulimits.items() if name in LIMITS}


def capabilities_of(service: Service) -> tuple[int, ...]:
    """The capabilities that its processes have as root."""
    dropped, added = _names(service.cap_drop), _names(service.cap_add)
    kept = {} if "ALL" in dropped else CAPABILITIES
    known = {name: number for name, number in kept.items() if name not in dropped}
    more = CAPABILITIES | HARMLESS
    known |= more if "ALL" in added else {name: more[name] for name in added if name in more}
    return tuple(sorted(known.values()))


def shortfalls_of(service: Service) -> Iterator[tuple[str, str]]:
    """Key of the stack file and what of it a room can't give, in words."""
    added = _names(service.cap_add)
    missing = [name for name in added if name not in CAPABILITIES | HARMLESS]
    if missing:
        yield "cap_add", f"does not get {', '.join(missing)}"
    shared = [key for key in service.sysctls if not _is_own(service, key)]
    if shared:
        yield "sysctls", f"sees this machine's {', '.join(shared)}"
    unknown = [name for name in service.ulimits if name not in LIMITS]
    if unknown:
        yield "ulimits", f"has this machine's {', '.join(unknown)}"


def _is_own(service: Service, key: str) -> bool:
    joins = (service.network_mode or "").startswith("service:")
    return key.startswith(_OWN_SETTINGS) and not (joins and key.startswith("net."))


def _names(written: tuple[str, ...]) -> list[str]:
    return [name.upper().removeprefix("CAP_") for name in written]
