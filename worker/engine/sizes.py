"""Sizes as people read them."""

from __future__ import annotations


def human_size(size: float) -> str:
    """Bytes for people, in binary units: 1536 is `1.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
