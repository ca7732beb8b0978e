"""A real Btrfs of 109 MiB for tests, whether or not its tools are installed.

`btrfs.img.xz` is what `mkfs.btrfs -m single` makes of an empty file. Run as a program, this stands
in for those calls of `btrfs subvolume` that the example scripts make: the same requests to the
kernel (linux/btrfs.h: BTRFS_IOC_SUBVOL_CREATE, _SNAP_CREATE, _SNAP_DESTROY).
"""

from __future__ import annotations

import fcntl
import lzma
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_IMAGE = Path(__file__).with_name("btrfs.img.xz")
_ARGUMENTS = struct.Struct("=q4088s")  # struct btrfs_ioctl_vol_args
_CREATE, _SNAPSHOT, _DELETE = 0x5000940E, 0x50009401, 0x5000940F
_PIECE = 1024 * 1024


@contextmanager
def mounted(folder: Path, bin_folder: Path) -> Iterator[None]:
    """An empty Btrfs at `folder`; in `bin_folder` a command `btrfs`."""
    image = bin_folder / "image"
    with lzma.open(_IMAGE) as packed, image.open("wb") as out:
        while piece := packed.read(_PIECE):
            if any(piece):
                out.write(piece)
            else:
                out.seek(len(piece), os.SEEK_CUR)
        out.truncate()
    command = bin_folder / "btrfs"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{__file__}' \"$@\"\n")
    command.chmod(0o755)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def main(words: list[str]) -> None:
    match words:
        case ["subvolume", "create", path]:
            _ask(_CREATE, Path(path))
        case ["subvolume", "snapshot", source, path]:
            volume = os.open(source, os.O_RDONLY | os.O_DIRECTORY)
            _ask(_SNAPSHOT, Path(path), volume)
        case ["subvolume", "delete", path]:
            _ask(_DELETE, Path(path))
        case _:
            sys.exit(f"no such call here: btrfs {' '.join(words)}")


def _ask(request: int, path: Path, volume: int = 0) -> None:
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # A bytearray: immutable arguments may have 1024 bytes at most.
        fcntl.ioctl(parent, request, bytearray(_ARGUMENTS.pack(volume, os.fsencode(path.name))))
    finally:
        os.close(parent)


if __name__ == "__main__":
    main(sys.argv[1:])
