"""A small sample data folder, so that the very first backup has something real to save."""

from __future__ import annotations

import json
import sqlite3
import struct
import zlib
from contextlib import closing
from pathlib import Path

_README = """\
This is a sample. Tarkeep made it because there was no data folder.
Put your own files here, or set BACKUP_DATA_DIR to the folder to back up.
"""


def make_sample(data: Path) -> None:
    """Fill the folder `data`, which must not exist: it appears whole or not at all."""
    draft = data.with_name(data.name + ".new")
    (draft / "sessions").mkdir(parents=True, exist_ok=True)
    (draft / "media").mkdir(exist_ok=True)
    (draft / "README.txt").write_text(_README)
    for name in ("first", "second"):
        _write_database(draft / "sessions" / f"{name}.db", name)
    state = {"instances": ["first", "second"], "sample": True}
    (draft / "state.json").write_text(json.dumps(state, indent=2) + "\n")
    (draft / "gateway.log").write_text("".join(f"line {n}: sample\n" for n in range(200)))
    (draft / "media" / "gradient.png").write_bytes(_gradient(256))
    draft.rename(data)


def _write_database(path: Path, instance: str) -> None:
    rows = [(number, f"{instance}: sample message {number}") for number in range(1000)]
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, body TEXT)")
        database.executemany("INSERT OR REPLACE INTO message VALUES (?, ?)", rows)


def _gradient(side: int) -> bytes:
    """A square grey PNG picture, `side` pixels wide."""
    rows = b"".join(b"\0" + bytes((x ^ y) & 255 for x in range(side)) for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
