"""Parts of an object by ranged GETs, several under way at once, delivered in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from worker.engine.storage import Storage

SPAN = 12 * 1024 * 1024  # bytes a GET: enough for neither a round trip nor a request's CPU to count
WORKERS = 3

Span = tuple[int, int]  # [start, end) in bytes, as in `Storage.get`


def read_spans(
    storage: Storage, key: str, spans: Iterable[Span], *, workers: int = WORKERS
) -> Iterator[list[bytes]]:
    """The chunks of each span, in the order asked for; fewer where the object ends before.

    `spans` is drawn from the caller's thread, at most `workers + 1` ahead, and no more spans
    than that are held in memory.
    """
    stopped = threading.Event()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="ranged")
    coming: deque[Future[list[bytes]]] = deque()
    try:
        for span in spans:
            coming.append(pool.submit(_read, storage, key, span, stopped))
            if len(coming) > workers:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)


def cut(start: int, end: int, span: int = SPAN) -> Iterator[Span]:
    """The bytes [start, end) as spans, the last one shorter."""
    return ((at, min(at + span, end)) for at in range(start, end, span))


def _read(storage: Storage, key: str, span: Span, stopped: threading.Event) -> list[bytes]:
    chunks = []
    for chunk in storage.get(key, *span):
        if stopped.is_set():
            break
        chunks.append(chunk)
    return chunks
