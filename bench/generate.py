"""Makes the data folders: a chat gateway's, of a given size, and one of many small files.

By bytes about 45 % media, 35 % databases, 20 % text. Deterministic by seed, times included.
By hand: `python -m bench.generate FOLDER --size 2GiB`, or `--files 200000`.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import database
from bench.content import Content
from bench.sizes import MIB, parse_size

MEDIA, DATABASE, TEXT = 0.45, 0.35, 0.20
_ACCOUNT = 48 * MIB  # mean bytes per account
_KEY_FILES = 300  # per account, if they fit
_KEY_SHARE = 0.25  # of the text, at most
_DAYS = 14
_FIRST_LINE = 1_753_920_000_000  # ms since the epoch
_FIRST_TIME = 1_756_000_000  # s since the epoch
_PER_FOLDER = 500


@dataclass(frozen=True)
class Account:
    """One gateway account and the bytes it is to take. `name` seeds its content."""

    name: str
    size: int
    seed: int

    def content(self) -> Content:
        return Content(f"{self.seed}/{self.name}")


def chat(target: Path, size: int, seed: int = 1) -> None:
    """A gateway's data folder of about `size` bytes at `target`, which must not exist."""
    target.mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        for _ in pool.map(partial(_account, target), accounts(size, seed)):
            pass
    _set_times(target, seed)


def accounts(size: int, seed: int) -> list[Account]:
    """A few busy accounts and many quiet ones."""
    count = max(1, round(size / _ACCOUNT))
    weights = [1 / (rank + 1) ** 0.4 for rank in range(count)]
    names = (f"account-{number:04}" for number in range(count))
    return [
        Account(name, int(size * weight / sum(weights)), seed)
        for name, weight in zip(names, weights, strict=True)
    ]


def small_files(target: Path, count: int, seed: int = 1) -> None:
    """`count` key files of some hundred bytes, 500 to a folder."""
    content = Content(f"{seed}/small")
    for start in range(0, count, _PER_FOLDER):
        folder = target / f"session-{start // _PER_FOLDER:05}"
        folder.mkdir(parents=True)
        for number in range(start, min(start + _PER_FOLDER, count)):
            (folder / f"pre-key-{number}.json").write_bytes(content.key_file())
    _set_times(target, seed)


def new_media(folder: Path, size: int, content: Content) -> None:
    """Pictures, voice messages and some films of `size` bytes together."""
    folder.mkdir(parents=True, exist_ok=True)
    while size > 0:
        length = min(size, int(content.rng.lognormvariate(11.8, 1.1)) + 2000)
        (folder / f"{content.rng.randbytes(16).hex()}.jpg").write_bytes(content.media(length))
        size -= length


def append_log(path: Path, size: int, content: Content, at: int = _FIRST_LINE) -> None:
    """At least `size` bytes of lines more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        while size > 0:
            at += content.rng.randrange(1, 5000)
            size -= file.write(content.log_line(at))


def _account(target: Path, account: Account) -> None:
    folder, content = target / "accounts" / account.name, account.content()
    folder.mkdir(parents=True)
    text = int(account.size * TEXT)
    text -= _keys(folder / "auth", int(text * _KEY_SHARE), content)
    for day in range(1, _DAYS + 1):
        at = _FIRST_LINE + day * 86_400_000
        append_log(folder / "logs" / f"2025-08-{day:02}.jsonl", text // _DAYS, content, at)
    database.fill(folder / "messages.sqlite3", int(account.size * DATABASE), content)
    new_media(folder / "media" / "2025-08", int(account.size * MEDIA), content)


def _keys(folder: Path, room: int, content: Content) -> int:
    folder.mkdir()
    used = 0
    for number in range(_KEY_FILES):
        key = content.key_file()
        if used + len(key) > room:
            break
        used += (folder / f"pre-key-{number}.json").write_bytes(key)
    return used


def _set_times(target: Path, seed: int) -> None:
    """Times of change in the past, to the nanosecond, inner ones first."""
    rng = random.Random(f"{seed}/times")  # noqa: S311
    for path, folders, files in os.walk(target, topdown=False):
        folders.sort()
        for name in sorted(files):
            _set_time(Path(path, name), rng)
        _set_time(Path(path), rng)


def _set_time(path: Path, rng: random.Random) -> None:
    at = (_FIRST_TIME - rng.randrange(30 * 86_400)) * 10**9 + rng.randrange(10**9)
    os.utime(path, ns=(at, at))


def kept(target: Path, make: Callable[[Path, int, int], None], amount: int, seed: int) -> Path:
    """The folder `target`, made by `make(target, amount, seed)` unless an earlier run has."""
    done = target.with_name(target.name + ".complete")
    if not done.exists():
        shutil.rmtree(target, ignore_errors=True)
        make(target, amount, seed)
        done.touch()
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a data folder to back up.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=parse_size, default=256 * MIB, help="such as 2GiB")
    parser.add_argument("--files", type=int, help="so many small files instead")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if given.files:
        small_files(given.folder, given.files, given.seed)
    else:
        chat(given.folder, given.size, given.seed)


if __name__ == "__main__":
    main()
