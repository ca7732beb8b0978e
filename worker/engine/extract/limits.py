"""How much of an archive we take in. What lies in a bucket is hostile until proven ours."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """Bounds of one archive. Sizes in bytes.

    `path`, `part` and `depth` are the capture's too: it leaves out, with a warning, what could
    not be restored.

    `total` bounds the content of all members together; `pax` one PAX header; `deferred` what
    we keep in memory until the end (directories' and links' records); `trailing` the zeros
    after the end mark (GNU tar pads to its blocking factor).
    """

    members: int = 20_000_000
    total: int = 1 << 60
    path: int = 64 * 1024
    part: int = 255
    depth: int = 750
    pax: int = MIB
    extents: int = 1 << 18
    deferred: int = 512 * MIB
    trailing: int = 16 * MIB
