"""A day in the life of a data folder made by `bench.generate`, in place.

Some accounts are busy: their databases get random updates and new rows, their newest log grows,
media come in, a few go. Files of about 21 % of the bytes are touched: 435 MiB of 2 GiB.
By hand: `python -m bench.mutate FOLDER`.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from bench import database
from bench.content import Content
from bench.generate import append_log, new_media
from bench.sizes import show_size

TOUCHED = 0.21
_NEW_MEDIA = 0.06  # of an account's media
_NEW_TEXT = 0.5  # of its newest log
_UPDATED_ROWS, _NEW_ROWS = 0.02, 0.01
_UPDATED_KEYS = 0.05
_DELETED = 3  # media of an account


@dataclass
class Day:
    """What the day did. `touched`: the sizes of all files changed or new, in bytes."""

    touched: int = 0
    deleted: int = 0

    def saw(self, path: Path) -> None:
        self.touched += path.stat().st_size


def mutate(target: Path, seed: int = 1) -> Day:
    """Change the folder as one day would. The same for the same folder and seed."""
    day, rng = Day(), random.Random(f"{seed}/day")  # noqa: S311
    accounts = sorted((target / "accounts").iterdir())
    wanted = TOUCHED * sum(p.stat().st_size for p in target.rglob("*") if p.is_file())
    for account in rng.sample(accounts, len(accounts)):
        if day.touched >= wanted:
            break
        _one(account, Content(f"{seed}/day/{account.name}"), day)
    return day


def _one(account: Path, content: Content, day: Day) -> None:
    store = account / "messages.sqlite3"
    database.change(store, content, updated=_UPDATED_ROWS, added=_NEW_ROWS)
    day.saw(store)
    newest = max((account / "logs").iterdir())
    append_log(newest, int(newest.stat().st_size * _NEW_TEXT), content)
    day.saw(newest)
    _media(account / "media" / "2025-08", content, day)
    _keys(account / "auth", content, day)


def _media(folder: Path, content: Content, day: Day) -> None:
    before = sorted(folder.iterdir())
    new_media(folder, int(sum(p.stat().st_size for p in before) * _NEW_MEDIA), content)
    for path in set(folder.iterdir()) - set(before):
        day.saw(path)
    for path in content.rng.sample(before, min(_DELETED, len(before))):
        path.unlink()
        day.deleted += 1


def _keys(folder: Path, content: Content, day: Day) -> None:
    keys = sorted(folder.iterdir())
    for path in content.rng.sample(keys, int(len(keys) * _UPDATED_KEYS)):
        path.write_bytes(content.key_file())
        day.saw(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Let a day pass for a generated data folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    day = mutate(given.folder, given.seed)
    print(f"touched {show_size(day.touched)}, deleted {day.deleted} files")  # noqa: T201


if __name__ == "__main__":
    main()
