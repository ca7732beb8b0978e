"""A gateway's message store: SQLite with random keys, so that a day's work touches pages all
over the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.content import Content

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    id TEXT PRIMARY KEY, chat TEXT NOT NULL, at INTEGER NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, secret BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS messages_by_chat ON messages (chat, at);
"""
_ROWS = 500
_START = 1_750_000_000_000  # ms since the epoch


def fill(path: Path, size: int, content: Content) -> None:
    """Insert messages until the file has about `size` bytes."""
    chats = [f"{content.phone()}@s.whatsapp.net" for _ in range(200)]
    with _opened(path) as database:
        at = _START
        while _size(database) < size:
            insert(database, _ROWS, content, chats, at)
            at += _ROWS * 1000


def insert(
    database: sqlite3.Connection, count: int, content: Content, chats: list[str], at: int
) -> None:
    database.executemany(
        "INSERT OR IGNORE INTO messages VALUES (?,?,?,?,?,?)",
        (_row(content, chats, at + number * 1000) for number in range(count)),
    )


def change(path: Path, content: Content, *, updated: float, added: float) -> None:
    """Give a share of the rows, picked at random, another status, and add a share of new rows."""
    with _opened(path) as database:
        newest, count = database.execute("SELECT max(at), count(*) FROM messages").fetchone()
        chats = [
            row[0] for row in database.execute("SELECT DISTINCT chat FROM messages ORDER BY 1")
        ]
        ids = [row[0] for row in database.execute("SELECT id FROM messages ORDER BY id")]
        chosen = content.rng.sample(ids, int(count * updated))
        database.executemany("UPDATE messages SET status=9 WHERE id=?", ((one,) for one in chosen))
        insert(database, int(count * added), content, chats, newest + 1000)


def _row(content: Content, chats: list[str], at: int) -> tuple[str, str, int, int, str, bytes]:
    rng = content.rng
    secret = rng.randbytes(32)
    return content.message_id(), rng.choice(chats), at, rng.randrange(5), content.text(), secret


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """In one transaction; the file is left as a gateway that was closed leaves it (WAL mode)."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-65536"):
            database.execute(f"PRAGMA {pragma}")
        database.executescript(_SCHEMA)
        database.execute("BEGIN")
        yield database
        database.execute("COMMIT")
        database.execute("PRAGMA journal_mode=WAL")


def _size(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA page_count").fetchone()[0]) * 4096
