"""Folders of a service that hold no more than so much: file systems in memory, where allowed.

As in a container, they are empty whenever the service starts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stackproof.reaper import namespace


class MemoryFolders:
    """The bounded folders of one service, in the supervisor's own mount namespace.

    Args:
        sizes: Path to size, as tmpfs(5) takes it.
        private: Whether this process has a mount namespace of its own.
        mount: Mounts an empty file system of a size.
        unmount: Takes one away.

    Attributes:
        notices: Bounds that could not be set, and why.
    """

    def __init__(
        self,
        sizes: Mapping[str, str],
        *,
        private: bool,
        mount: Callable[[str, str], None] = namespace.mount_tmpfs,
        unmount: Callable[[str], None] = namespace.unmount,
    ) -> None:
        self.sizes = sizes
        self.notices: list[str] = []
        self._private = private
        self._mount = mount
        self._unmount = unmount

    def renew(self) -> None:
        """Mount each of them empty; without a namespace it stays a folder without a bound."""
        self.notices = [
            why for path, size in self.sizes.items() if (why := self._renew(path, size))
        ]

    def _renew(self, path: str, size: str) -> str:
        told = f"{path} may hold more than {size}: "
        if not self._private:
            return f"{told}this machine allows no namespace to mount it in"
        self._unmount(path)
        try:
            self._mount(path, size)
        except OSError as error:
            return f"{told}{error}"
        return ""

    def drop(self) -> None:
        """Take all of them away, so that the folders below can be removed."""
        for path in self.sizes if self._private else ():
            self._unmount(path)
