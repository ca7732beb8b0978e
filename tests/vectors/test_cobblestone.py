"""Cobblestone-256 as others understand it: Wycheproof's vectors, by the library that seals and
opens our frames and by the standalone script, which has its own few lines for it."""

from __future__ import annotations

import hashlib
import json
import runpy
import zlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag

FOLDER = Path(__file__).parent
FILE = json.loads((FOLDER / "cobblestone-256.json").read_text())
KEY = bytes.fromhex(FILE["key"])
GOOD = [vector for vector in FILE["vectors"] if vector["valid"]]
BAD = [vector for vector in FILE["vectors"] if not vector["valid"]]
SCRIPT = runpy.run_path(str(FOLDER.parents[1] / "scripts" / "tarkeep_decrypt.py"))


def library(message: bytes) -> bytes:
    decryptor = Cobblestone256Decryptor(KEY, context=b"")
    return bytes(decryptor.update(message)) + bytes(decryptor.finalize())


def script(message: bytes) -> bytes:
    return bytes(SCRIPT["open_message"](KEY, b"", message, "the message"))


def message(vector: dict[str, Any]) -> bytes:
    return zlib.decompress(bytes.fromhex(vector["ct"]))


@pytest.mark.parametrize("opened", [library, script])
@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["comment"])
def test_a_valid_message_opens_to_what_was_sealed(opened: Any, vector: dict[str, Any]) -> None:
    plain = opened(message(vector))
    assert len(plain) == vector["length"]
    assert hashlib.sha512(plain).hexdigest() == vector["sha512"]


@pytest.mark.parametrize("opened", [library, script])
@pytest.mark.parametrize("vector", BAD, ids=lambda vector: vector["comment"])
def test_an_invalid_message_is_refused(opened: Any, vector: dict[str, Any]) -> None:
    with pytest.raises((InvalidTag, SystemExit)):
        opened(message(vector))


@pytest.mark.parametrize("opened", [library, script])
@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["comment"])
def test_each_flipped_byte_at_the_edges_of_a_valid_one_is_refused(
    opened: Any, vector: dict[str, Any]
) -> None:
    whole = message(vector)
    for at in (0, 23, 24, 55, 56, len(whole) // 2, len(whole) - 1):
        with pytest.raises((InvalidTag, SystemExit)):
            opened(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
