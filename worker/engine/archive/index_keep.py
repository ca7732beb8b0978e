"""Keeps a backup's own index at hand for the next one, which then need not fetch it.

What the bucket holds is checked row by row before it is used, and ordered by folder: of many files
that takes as long as comparing them. This one was just made here, so it is made ready while the
rest is sent, and put where a fetched one would lie, in the place of the last one.
"""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from worker.engine.archive.index import add_manifests_segments, order_by_folder
from worker.engine.archive.index_cache import IndexCache
from worker.engine.archive.index_fetch import own_name
from worker.engine.archive.index_reader import CACHE, writing
from worker.engine.config import PlanConfig

log = logging.getLogger(__name__)

WORTH = 8 * 1024 * 1024  # bytes, of some 50,000 files: a smaller one is fetched in no time


class OwnIndex:
    """The finished index file `path`, and the manifest's `records` where it is sealed. A small one
    is not kept."""

    def __init__(self, path: Path, records: bytes | bytearray) -> None:
        self._path = path
        self._worth = path.stat().st_size >= WORTH
        if not self._worth:
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._ready = pool.submit(_make_ready, path, records)
        pool.shutdown(wait=False)

    def keep(
        self, plan: PlanConfig, key: str, sha256: str, *, instead_of: Path | None = None
    ) -> None:
        """As the index of the backup `key`, whose packed form has that SHA-256 (hex). Without it
        the next one fetches it, so nothing that goes wrong is an error."""
        if not self._worth:
            return
        try:
            self._ready.result()
            cache = IndexCache(plan.temp_dir / CACHE)
            with cache.adding(own_name(plan, key, sha256)) as entry:
                self._path.chmod(0o600)
                self._path.replace(entry)
            if instead_of is not None and instead_of.parent == plan.temp_dir / CACHE:
                instead_of.unlink(missing_ok=True)
        except (OSError, sqlite3.Error) as error:
            log.warning("the next backup fetches the last one's index: %s", error)


def _make_ready(path: Path, records: bytes | bytearray) -> None:
    with closing(writing(path)) as db:
        add_manifests_segments(db, records)
        order_by_folder(db)
