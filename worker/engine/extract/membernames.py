"""Where a member may go: below the archive's one top folder `data/`, by plain names only."""

from __future__ import annotations

from worker.engine.extract.limits import Limits
from worker.engine.extract.refusals import hostile, shown

TOP = b"data"
RESERVED = b".tarkeep-"
_TOP_SLASH = TOP + b"/"


def inside(path: bytes, limits: Limits) -> bytes | None:
    """The path below `data/`, b"" for `data` itself, None for the folder `./` above it.

    A leading `./` and a folder's last slash are dropped. Raises ARCHIVE_HOSTILE for whatever
    else is not a plain path below `data/`: absolute, `..`, `.`, empty parts, NUL, too long,
    too deep. A backslash is a character like others.
    """
    plain = path.removeprefix(b"./").removesuffix(b"/")
    if not plain.startswith(_TOP_SLASH):
        if plain == TOP:
            return b""
        if path in (b".", b"./"):
            return None
        raise hostile(f"{shown(path)} is not below data/")
    inner = plain[len(_TOP_SLASH) :]
    check_relative(inner, limits)
    return inner


def check_relative(path: bytes, limits: Limits) -> None:
    """ARCHIVE_HOSTILE unless it is a plain relative path within the limits."""
    parts = path.split(b"/")
    if b"" in parts or b"." in parts or b".." in parts or b"\0" in path:
        raise hostile(f"{shown(path)} is not a plain path")
    if len(path) > limits.path or len(parts) > limits.depth:
        raise hostile(f"the path {shown(path)} is too long or too deep")
    if len(path) > limits.part and max(map(len, parts)) > limits.part:
        raise hostile(f"{shown(path)} has a name of more than {limits.part} bytes")


def is_reserved(inner: bytes) -> bool:
    """Whether it lies in a folder or file of Tarkeep's own at the top of the data folder."""
    return inner.startswith(RESERVED)


def stays_inside(link: bytes, target: bytes) -> bool:
    """Whether the symlink at the path `link` leads to a place below the data folder.

    `..` counts only before the first name: after one it could climb out through another link
    (`a -> .`, `b -> a/a/../..`). So each link stays inside whatever the others are.
    """
    if not target or target.startswith(b"/") or b"\0" in target:
        return False
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    climbs = next((n for n, part in enumerate(parts) if part != b".."), len(parts))
    return climbs <= link.count(b"/") and b".." not in parts[climbs:]
