"""Where the next page begins, as an opaque word; and paths that no JSON text can hold."""

from __future__ import annotations

import json
from typing import Any

from rest_framework import serializers as s

from backups_app.raw import as_bytes, as_text

_LARGEST = 2**63 - 1  # of SQLite's numbers
_DIGITS = 20


encode = as_text


def decode(text: str) -> bytes:
    """Raises `ValidationError`."""
    try:
        return as_bytes(text)
    except ValueError:
        raise s.ValidationError("is not base64") from None


def encode_number(number: int) -> str:
    return encode(b"%d" % number)


def decode_number(text: str) -> int:
    """Raises `ValidationError`."""
    raw = decode(text)
    if not raw.isdigit() or (number := int(raw[:_DIGITS])) > _LARGEST:
        raise s.ValidationError("is not the `next` of a page")
    return number


def encode_place(key: str, number: int) -> str:
    return encode(json.dumps([key, number]).encode())


def decode_place(text: str) -> tuple[str, int]:
    """Raises `ValidationError`."""
    try:
        value: Any = json.loads(decode(text))
    except ValueError:
        value = None
    match value:
        case [str(key), int(number)] if 0 <= number <= _LARGEST:
            return key, number
    raise s.ValidationError("is not the `next` of a page")
