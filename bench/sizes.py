"""Sizes for people: `2GiB` in, `2 GiB` out."""

from __future__ import annotations

import re

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
_UNITS = {"": 1, "K": KIB, "M": MIB, "G": GIB}


def parse_size(text: str) -> int:
    """Bytes of `16MiB`, `2G`, `1000`. Raises `ValueError`."""
    found = re.fullmatch(r"(\d+)\s*([KMG]?)(i?B)?", text.strip(), re.IGNORECASE)
    if not found:
        raise ValueError(f"{text} is no size; write 256MiB or 2GiB")
    return int(found[1]) * _UNITS[found[2].upper()]


def show_size(size: int) -> str:
    unit, name = (GIB, "GiB") if size >= GIB else (MIB, "MiB")
    return f"{size / unit:.3g} {name}"
