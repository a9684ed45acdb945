"""The user that a service runs as, as far as its Dockerfile and the stack file tell it.

Sources: passwd of Debian's base-passwd, useradd(8), Debian's and BusyBox's adduser.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stackproof.plan.services.built_stage import Image
from stackproof.plan.world.model import ROOT, Account
from stackproof.plan.world.shell import commands_in

NOBODY = 65534
FIRST_USER = 1000
FIRST_SYSTEM_USER = 100
LAST_SYSTEM_USER = 999
GUESSED_FROM, GUESSES = 10_000, 50_000
LARGEST_ID = 2**31 - 1

_SYSTEM = (
    ROOT,
    Account(1, 1, "daemon", "/usr/sbin"),
    Account(2, 2, "bin", "/bin"),
    Account(3, 3, "sys", "/dev"),
    Account(8, 8, "mail", "/var/mail"),
    Account(33, 33, "www-data", "/var/www"),
    Account(34, 34, "backup", "/var/backups"),
    Account(NOBODY, NOBODY, "nobody", "/nonexistent"),
)
_OF_IMAGES: Mapping[str, Account] = {
    "node": Account(1000, 1000, "node", "/home/node"),
    "nginx": Account(101, 101, "nginx", "/nonexistent"),
    "distroless": Account(65532, 65532, "nonroot", "/home/nonroot"),
}
"""Users that base images bring, by a word of the image's name."""

_ADDS_USER = frozenset({"useradd", "adduser"})
_ADDS_GROUP = frozenset({"groupadd", "addgroup"})

_VALUES = {
    "useradd": frozenset("-u --uid -g --gid -d --home-dir --home -G --groups -s --shell -c "
                         "--comment -k --skel -K --key -e --expiredate -f --inactive -p --password "
                         "-b --base-dir -R --root -P --prefix".split()),
    "adduser": frozenset("-u --uid --gid -h --home --shell -s --gecos -g --comment --ingroup -G "
                         "-k --firstuid --lastuid --conf".split()),
    "groupadd": frozenset("-g --gid -K --key -p --password -R --root -P --prefix".split()),
    "addgroup": frozenset("-g --gid --firstgid --lastgid --conf".split()),
}  # fmt: skip
"""Options of each tool that take a value."""


@dataclass
class Accounts:
    """The users and groups of an image.

    Attributes:
        users: By name.
        groups: Number by name.
        made_homes: The homes that were made, with the user of each.
    """

    users: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    made_homes: dict[str, Account] = field(default_factory=dict)

    def ids(self, written: str) -> tuple[int, int] | None:
        """User and group of `user`, `user:group` or `:group`; None for a name that is unknown."""
        user, _, group = written.partition(":")
        found = self._user(user) if user else ROOT
        number = self._group(group) if group else None
        if found is None or (group and number is None):
            return None
        return found.uid, found.gid if number is None else number

    def account(self, written: str) -> tuple[Account, bool]:
        """The account that a text means, and whether its numbers are known for certain.

        Args:
            written: As USER of a Dockerfile and `user` of a service have it.
        """
        if not written:
            return ROOT, True
        user, _, group = written.partition(":")
        found, number = self._user(user), self._group(group) if group else None
        is_certain = found is not None and (not group or number is not None)
        if found is None:
            guess = GUESSED_FROM + zlib.crc32(user.encode()) % GUESSES
            found = Account(guess, guess, user, f"/home/{user}")
        return (found if number is None else replace(found, gid=number)), is_certain

    def _user(self, written: str) -> Account | None:
        if written in self.users:
            return self.users[written]
        number = _number(written)
        if number is None:
            return None
        same = (account for account in self.users.values() if account.uid == number)
        return next(same, Account(number, 0, "", "/"))

    def _group(self, written: str) -> int | None:
        return self.groups.get(written, _number(written))


def accounts_of(image: Image | None) -> Accounts:
    """The users and groups of an image: those of its base, and those that RUN adds visibly.

    Args:
        image: What the Dockerfile says; None without one.
    """
    found = Accounts()
    bases = (image.base, *image.other_bases) if image else ()
    brought = [
        account for word, account in _OF_IMAGES.items() if any(word in base for base in bases)
    ]
    for account in (*_SYSTEM, *brought):
        found.users[account.name] = account
        found.groups[account.name] = account.gid
    for run in image.runs if image else ():
        for words in commands_in(run.text):
            tool = words[0].rpartition("/")[2]
            if tool in _ADDS_GROUP:
                _add_group(found, tool, words[1:])
            elif tool in _ADDS_USER:
                _add_user(found, tool, words[1:])
    return found


@dataclass
class _Options:
    """The options of one command; those of a letter also where several are written as one."""

    values: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)

    def value(self, *names: str) -> str:
        return next((self.values[name] for name in names if name in self.values), "")


def _options(tool: str, words: Sequence[str]) -> _Options:
    found, rest = _Options(), iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-":
            found.names.append(word)
        elif name in _VALUES[tool]:
            found.values[name] = value if equals else next(rest, "")
        elif word.startswith("--"):
            found.flags.add(name)
        else:
            _letters(tool, word[1:], found, rest)
    return found


def _letters(tool: str, letters: str, found: _Options, rest: Iterator[str]) -> None:
    for at, letter in enumerate(letters):
        if f"-{letter}" in _VALUES[tool]:
            found.values[f"-{letter}"] = letters[at + 1 :] or next(rest, "")
            return
        found.flags.add(f"-{letter}")


def _add_group(found: Accounts, tool: str, words: Sequence[str]) -> None:
    options = _options(tool, words)
    if len(options.names) != 1:
        return  # `addgroup USER GROUP` puts a user into a group
    number = _number(options.value("-g", "--gid"))
    is_system = bool(options.flags & {"-r", "-S", "--system"})
    found.groups[options.names[0]] = (
        _free(found.groups.values(), is_system=is_system) if number is None else number
    )


def _add_user(found: Accounts, tool: str, words: Sequence[str]) -> None:
    options = _options(tool, words)
    if len(options.names) != 1:
        return
    name = options.names[0]
    is_system = bool(options.flags & {"-r", "-S", "--system"})
    number = _number(options.value("-u", "--uid"))
    taken = [account.uid for account in found.users.values()]
    uid = _free(taken, is_system=is_system, is_last=tool == "useradd") if number is None else number
    gid = _gid_of(found, tool, options, name, uid)
    is_of_debian = tool == "adduser" and "--system" in options.flags
    usual = "/nonexistent" if is_of_debian else f"/home/{name}"
    written = options.value("-d", "--home-dir", "--home", "-h")
    account = Account(uid, gid, name, written or usual)
    found.users[name] = account
    makes = (
        bool(options.flags & {"-m", "--create-home"})
        if tool == "useradd"
        else not options.flags & {"-H", "--no-create-home"} and (bool(written) or not is_of_debian)
    )
    if makes:
        found.made_homes[account.home] = account


def _gid_of(found: Accounts, tool: str, options: _Options, name: str, uid: int) -> int:
    if tool == "useradd":
        written = options.value("-g", "--gid")
    else:
        written = options.value("--ingroup", "-G", "--gid")
    if written:
        return found.groups.get(written, _number(written) or 0)
    is_system_user = tool == "adduser" and options.flags & {"-S", "--system"}
    if is_system_user and "--group" not in options.flags:
        return NOBODY
    return found.groups.setdefault(name, uid)


def _free(taken: Iterable[int], *, is_system: bool, is_last: bool = False) -> int:
    used = set(taken)
    if not is_system:
        return next(number for number in range(FIRST_USER, LARGEST_ID) if number not in used)
    numbers = range(FIRST_SYSTEM_USER, LAST_SYSTEM_USER + 1)
    return next(n for n in (reversed(numbers) if is_last else numbers) if n not in used)


def _number(written: str) -> int | None:
    is_number = written.isascii() and written.isdecimal() and len(written) < len(str(LARGEST_ID))
    return int(written) if is_number else None
