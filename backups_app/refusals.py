"""Whoever comes with wrong tokens, or none, again and again: how often from which address.

Counted in this process alone: secrets are too long to be guessed, so this saves work and tells
people of it. It is no lock: whoever has a right token is let in from the same address.
Guessed passwords are counted in the database (`signing_in`).
"""

from __future__ import annotations

from typing import Final

from django.core.cache import cache

MOST: Final = 120  # of one address in a minute; who is refused more often has to wait
WINDOW: Final = 60  # seconds


def count(address: str) -> bool:
    """Count one more. False: too many by now."""
    key = f"refused-{address}"
    if cache.add(key, 1, WINDOW):
        return True
    try:
        return cache.incr(key) <= MOST
    except ValueError:  # the minute was over just now
        return True


def is_news(address: str, action: str) -> bool:
    """Whether to tell of it: once a minute, so that nobody fills the database by asking."""
    return cache.add(f"refusal-{address}-{action}", 1, WINDOW)
