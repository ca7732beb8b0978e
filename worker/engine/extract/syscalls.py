"""Linux system calls that Python does not offer: openat2, renameat2, syncfs.

Each raises `OSError` with the kernel's errno, like the functions in `os`.
"""

from __future__ import annotations

import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_OPENAT2 = 437  # the same number on every architecture: it is younger than their split
_RENAMEAT2 = 316 if os.uname().machine == "x86_64" else 276  # aarch64, riscv64
_AT_FDCWD = -100

RESOLVE_NO_XDEV, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 1, 2, 4, 8
_INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN_INSIDE = struct.pack("=QQQ", _FOLDER, 0, _INSIDE)  # struct open_how

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


def open_folder_inside(root: int, path: bytes) -> int:
    """A descriptor of the folder `path` below `root`; no link and no mount is crossed."""
    return _checked(
        _libc.syscall(_OPENAT2, root, ctypes.c_char_p(path), _OPEN_INSIDE, len(_OPEN_INSIDE)), path
    )


def rename(source: bytes, target: bytes, *, flags: int) -> None:
    """renameat2 of two paths, with RENAME_NOREPLACE or RENAME_EXCHANGE."""
    _checked(
        _libc.syscall(
            _RENAMEAT2,
            _AT_FDCWD,
            ctypes.c_char_p(source),
            _AT_FDCWD,
            ctypes.c_char_p(target),
            flags,
        ),
        target,
    )


def sync_file_system(descriptor: int) -> None:
    """Write everything of the file system that the descriptor lies on to its disk."""
    _checked(_libc.syncfs(descriptor), b"")


def _checked(result: int, path: bytes) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), path)
    return result
