"""Gives a restored file or folder its owner, mode, extended attributes and times, in that order:
a change of owner clears mode bits, and every change but the last would move the times."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.engine.extract.refusals import shown
from worker.engine.extract.warner import Warner

_FILE_MODE = 0o777  # never sticky, and no other special bit unless asked for
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_FOLDER_MODE = 0o3777  # set-group-id and sticky mean no rights on a folder
_LARGEST_ID = 0xFFFFFFFE  # the next one means "leave as it is" to chown
_XATTR_KEPT = b"user."
_ACLS = (b"system.posix_acl_access", b"system.posix_acl_default")


@dataclass(frozen=True, slots=True)
class Attributes:
    """What an archive says about a member besides its content. `mtime` in nanoseconds."""

    mode: int
    uid: int
    gid: int
    mtime: int
    xattrs: Mapping[bytes, bytes] = field(default_factory=dict)


def creation_mode(mode: int) -> int:
    """What to create a file with, so that most need no chmod afterwards."""
    return mode & _FILE_MODE


@dataclass
class AttributeSetter:
    """`owner`: whether to give files to their recorded users (only root can).

    `setuid`: whether files get their set-user-id and set-group-id bits back, with their owners.
    """

    warner: Warner
    owner: bool
    setuid: bool = False
    _umask: int = field(default_factory=lambda: _current_umask())
    _me: tuple[int, int] = field(default_factory=lambda: (os.geteuid(), os.getegid()))

    @property
    def _special(self) -> int:
        return _SPECIAL if self.setuid and self.owner else 0

    def file(self, descriptor: int, path: bytes, wanted: Attributes) -> None:
        """All attributes of a file created with `creation_mode`."""
        mode = wanted.mode & (_FILE_MODE | self._special)
        owned = self._own(descriptor, path, wanted)
        if mode & (self._umask | _SPECIAL) or owned:
            os.fchmod(descriptor, mode)
        if wanted.mode & _SPECIAL & ~mode:
            self.warner.warn(
                "MODE_REDUCED", path, "its set-user-id or set-group-id bit was dropped"
            )
        self._rest(descriptor, path, wanted)

    def folder(self, descriptor: int, path: bytes, wanted: Attributes) -> None:
        self._own(descriptor, path, wanted)
        os.fchmod(descriptor, wanted.mode & _FOLDER_MODE)
        self._rest(descriptor, path, wanted)

    def link(self, folder: int, name: bytes, path: bytes, wanted: Attributes) -> None:
        """Owner and times of a symlink itself."""
        if self._must_own(path, wanted):
            os.chown(name, wanted.uid, wanted.gid, dir_fd=folder, follow_symlinks=False)
        os.utime(name, ns=(wanted.mtime, wanted.mtime), dir_fd=folder, follow_symlinks=False)

    def _own(self, descriptor: int, path: bytes, wanted: Attributes) -> bool:
        if not self._must_own(path, wanted):
            return False
        os.fchown(descriptor, wanted.uid, wanted.gid)
        return True

    def _must_own(self, path: bytes, wanted: Attributes) -> bool:
        if (wanted.uid, wanted.gid) == self._me:
            return False
        if not self.owner:
            self.warner.once("OWNER_NOT_RESTORED", path, "only root can give files to other users")
            return False
        if max(wanted.uid, wanted.gid) > _LARGEST_ID:
            self.warner.warn(
                "OWNER_NOT_RESTORED", path, "the recorded owner does not exist on Linux"
            )
            return False
        return True

    def _rest(self, descriptor: int, path: bytes, wanted: Attributes) -> None:
        for name, value in wanted.xattrs.items():
            self._set_xattr(descriptor, path, name, value)
        try:
            os.utime(descriptor, ns=(wanted.mtime, wanted.mtime))
        except (OverflowError, ValueError):
            self.warner.warn("TIME_NOT_RESTORED", path, "its time of change is out of range")

    def _set_xattr(self, descriptor: int, path: bytes, name: bytes, value: bytes) -> None:
        kept = name.startswith(_XATTR_KEPT) or name in _ACLS
        if not kept or b"\0" in name:
            self.warner.once("XATTR_SKIPPED", path, f"attribute {shown(name)} is not restored")
            return
        try:
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if error.errno == errno.EIO:
                raise
            self.warner.once(
                "XATTR_SKIPPED", path, f"attribute {shown(name)} not kept: {error.strerror}"
            )


def _current_umask() -> int:
    """Read without setting it, which other threads would feel."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask:"):
            return int(line.split()[1], 8)
    return 0o777
