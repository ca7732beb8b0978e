"""Segments compress as well as gzip's users expect, and come back."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.engine.archive import codec
from worker.engine.errors import ArchiveError

SIZE = 2 * 1024 * 1024


def text() -> bytes:
    folder = Path(sysconfig.get_paths()["stdlib"])
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))[:SIZE]


def json_lines() -> bytes:
    dice = random.Random(5)
    lines = (
        json.dumps({"id": dice.randrange(10**12), "key": dice.randbytes(24).hex(), "n": n})
        for n in range(40_000)
    )
    return "\n".join(lines).encode()[:SIZE]


def database(folder: Path) -> bytes:
    dice = random.Random(5)
    words = [f"w{number}" for number in range(3000)]
    path = folder / "chat.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, k BLOB, who TEXT, body TEXT)")
        db.executemany(
            "INSERT INTO m VALUES (?,?,?,?)",
            (
                (n, dice.randbytes(32), f"user{n % 500}", " ".join(dice.choices(words, k=n % 30)))
                for n in range(12_000)
            ),
        )
    db.close()
    return path.read_bytes()[:SIZE]


def executable() -> bytes:
    return Path(os.path.realpath(sys.executable)).read_bytes()[:SIZE] + b"".join(
        path.read_bytes()[: SIZE // 8]
        for path in sorted(Path(sysconfig.get_paths()["platlib"]).rglob("*.so"))[:16]
    )


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return {
        "text": text(),
        "json": json_lines(),
        "database": database(tmp_path_factory.mktemp("db")),
        "executable": executable(),
    }


@pytest.mark.parametrize("level", range(1, 10))
def test_a_level_is_within_three_percent_of_zlibs(contents: dict[str, bytes], level: int) -> None:
    for name, content in contents.items():
        limit = len(zlib.compress(content, level, 31)) * 1.03
        assert len(codec.compress(content, level)) <= limit, name


@pytest.mark.parametrize("level", range(10))
@settings(max_examples=20, deadline=None)
@given(content=st.binary(min_size=1, max_size=70_000))
def test_what_went_in_comes_out(level: int, content: bytes) -> None:
    member = codec.compress(content, level)
    assert codec.decompress(member) == content
    assert gzip.decompress(member) == content


@pytest.mark.parametrize(
    "reader",
    [
        ["gzip", "-dc"],
        ["pigz", "-dc"],
        [
            "node",
            "-e",
            "process.stdin.pipe(require('zlib').createGunzip()).pipe(process.stdout)",
        ],
    ],
    ids=lambda command: command[0],
)
def test_other_readers_agree_on_many_members(contents: dict[str, bytes], reader: list[str]) -> None:
    if not shutil.which(reader[0]):
        assert not os.environ.get("CI"), f"CI installs {reader[0]}"
        pytest.skip(f"{reader[0]} is not installed")
    pieces = [contents["text"][:100_000], os.urandom(50_000), contents["json"][:99_999]]
    members = [codec.compress(piece, level) for level, piece in zip((1, 0, 6), pieces, strict=True)]
    out = subprocess.run(reader, input=b"".join(members), capture_output=True, check=True).stdout
    assert out == b"".join(pieces)


def test_a_member_is_the_same_every_time(contents: dict[str, bytes]) -> None:
    for level in range(10):
        assert codec.compress(contents["json"], level) == codec.compress(contents["json"], level)


def test_damage_in_a_member_is_found() -> None:
    member = bytearray(codec.compress(b"some content " * 1000, 6))
    for at in range(10, len(member)):
        broken = bytearray(member)
        broken[at] ^= 255
        with pytest.raises(ArchiveError):
            codec.decompress(broken)


def test_media_and_ciphertext_look_compressed_and_text_does_not(
    contents: dict[str, bytes],
) -> None:
    assert codec.looks_compressed(os.urandom(100_000))
    assert codec.looks_compressed(zlib.compress(contents["text"]))
    assert not any(codec.looks_compressed(content) for content in contents.values())
    assert not codec.looks_compressed(os.urandom(100))
