"""How much of the tar goes into one segment: the less, the less is sent again when some changes."""

from __future__ import annotations

from typing import NamedTuple

MOST_SEGMENTS = 40_000  # each has a row in the index and a record in the manifest, 150 bytes in all
LARGEST = 16 * 1024 * 1024


class Sizes(NamedTuple):
    """Bytes of tar: of a segment of `small` files, and of a slice of a larger `file` or of a
    `database`, which changes in many places."""

    small: int
    database: int
    file: int


def sizes(segment: int, total: int) -> Sizes:
    """For `total` bytes of source data, where a file's slices are to have `segment` bytes.

    Beyond 40,000 segments all sizes grow with the data, up to 16 MiB.
    """
    times = max(1, -(-total // (MOST_SEGMENTS * _least(segment))))
    return Sizes(
        min(_least(segment) * times, LARGEST),
        min(max(segment // 4, _least(segment) * times), LARGEST),
        min(max(segment, _least(segment) * times), LARGEST),
    )


def _least(segment: int) -> int:
    return max(segment // 8, 1)
