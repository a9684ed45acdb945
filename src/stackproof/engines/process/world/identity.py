"""Who a service's processes are: names for /etc/passwd, and the way to become the user.

Where this user namespace has all ids, a user is had by setuid(2). Where an ordinary user has only
one, a nested namespace gives that id another number, and for root the calls that change ids succeed
without effect, since most programs only want them not to fail.
Sources: user_namespaces(7), passwd(5), group(5), credentials(7); Docker's default capabilities.
"""

from __future__ import annotations

import os

from stackproof.engines.process.world import rights
from stackproof.engines.process.world.spec import RoomSpec
from stackproof.reaper import kernel

KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31)
"""chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, net_raw,
sys_chroot, mknod, audit_write, setfcap."""

SETUID = 7

ID_CHANGES = (
    *("chown", "fchown", "lchown", "fchownat"),
    *("setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid"),
    *("setgroups", "setfsuid", "setfsgid"),
)

_NO_LOGIN = "/usr/sbin/nologin"
_NO_HOME = "/nonexistent"

_SYSTEM_USERS: tuple[tuple[str, int, str], ...] = (
    ("root", 0, "/root"),
    ("daemon", 1, "/usr/sbin"),
    ("bin", 2, "/bin"),
    ("sys", 3, "/dev"),
    ("man", 6, "/var/cache/man"),
    ("mail", 8, "/var/mail"),
    ("proxy", 13, "/bin"),
    ("www-data", 33, "/var/www"),
    ("backup", 34, "/var/backups"),
    ("nobody", 65534, _NO_HOME),
)
"""As Debian's base files have them; each has a group of its name and number."""

_SYSTEM_GROUPS: tuple[tuple[str, int], ...] = (
    *(("adm", 4), ("tty", 5), ("disk", 6), ("shadow", 42), ("utmp", 43), ("video", 44)),
    *(("staff", 50), ("users", 100), ("nogroup", 65534)),
)


def passwd(spec: RoomSpec) -> str:
    """Text of /etc/passwd: the usual users, and the service's own."""
    own = spec.user or (f"user{spec.uid}" if spec.uid else "")
    of_image = [(name, number, _NO_HOME) for name, number in spec.users.items()]
    lines = [
        f"{name}:x:{number}:{number}:{name}:{home}:{_NO_LOGIN if number else '/bin/sh'}"
        for name, number, home in (*_SYSTEM_USERS, *of_image)
        if name != own and number != spec.uid
    ]
    if spec.uid is None or spec.uid == 0:
        others = [line for line in lines if not line.startswith("root:")]
        return "\n".join(["root:x:0:0:root:" + spec.home + ":/bin/sh", *others, ""])
    lines.append(f"{own}:x:{spec.uid}:{group_of(spec)}:{own}:{spec.home}:/bin/sh")
    return "\n".join([*lines, ""])


def group(spec: RoomSpec) -> str:
    """Text of /etc/group: the usual groups, and that of the service's user."""
    groups = (*_SYSTEM_GROUPS, *spec.users.items())
    usual = {number: name for name, number, _ in _SYSTEM_USERS} | {
        number: name for name, number in groups
    }
    number = group_of(spec)
    if number not in usual:
        own = spec.user or f"group{number}"
        usual = {**{other: name for other, name in usual.items() if name != own}, number: own}
    return "".join(f"{name}:x:{number}:\n" for number, name in sorted(usual.items()))


def group_of(spec: RoomSpec) -> int:
    """The numeric group of the service's processes."""
    return (spec.uid or 0) if spec.gid is None else spec.gid


def has_one_id() -> bool:
    """Whether this process's user namespace has a single user, as an ordinary user's has."""
    with open("/proc/self/uid_map") as file:
        return [line.split()[2] for line in file] == ["1"]


def become(
    uid: int, gid: int, capabilities: tuple[int, ...] | None = None, *, one_id: bool
) -> None:
    """Give up all that the user has no right to; called just before the program begins.

    Args:
        uid: Number of the user inside the room.
        gid: Number of the group.
        capabilities: Those that it keeps as root; None for the usual ones.
        one_id: Whether there is a single id to have.

    Raises:
        OSError: If the kernel refuses.
    """
    kept = KEPT_CAPABILITIES if capabilities is None else capabilities
    kernel.forbid_new_privileges()
    if one_id:
        if uid or gid:
            kernel.unshare(kernel.CLONE_NEWUSER)
            kernel.map_ids(os.getpid(), f"{uid} 0 1", f"{gid} 0 1")
        kernel.hide_memory()  # from here on, the service's own processes have the same rights
        rights.limit_capabilities(kept)
        if uid == 0:
            rights.succeed_without_effect(ID_CHANGES)
        return
    kernel.hide_memory()
    os.setgroups([gid])
    os.setgid(gid)
    rights.limit_capabilities({*kept, SETUID} if uid else kept)
    if uid:
        os.setuid(uid)  # another user loses them all
