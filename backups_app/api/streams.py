"""Answers that are sent while they are made, under ASGI and under WSGI."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header


class _Chunks:
    """Takes chunk by chunk from whatever thread; closes what they come from, once, at the end
    or when the reader has left."""

    def __init__(self, chunks: Iterator[bytes], opened: ExitStack) -> None:
        self._chunks, self._opened = chunks, opened
        self._lock = threading.Lock()

    def take(self) -> bytes | None:
        with self._lock:
            return next(self._chunks, None)

    def close(self) -> None:
        with self._lock:
            self._chunks = iter(())
            self._opened.close()


class _Now(_Chunks):
    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self.take()) is not None:
            yield chunk


class _Later(_Chunks):
    """The event loop must not wait for the bucket: a thread does."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        take = sync_to_async(self.take, thread_sensitive=False)
        while (chunk := await take()) is not None:
            yield chunk


def attachment(
    request: HttpRequest,
    chunks: Iterator[bytes],
    opened: ExitStack,
    *,
    name: str,
    kind: str,
    size: int | None = None,
) -> StreamingHttpResponse:
    """A download called `name`, of `size` bytes where known. It closes `opened` in the end.

    The first chunk is taken here, so that what is wrong from the start is answered as such.
    """
    first = next(chunks, b"")
    held = _Later if isinstance(request, ASGIRequest) else _Now
    answer = StreamingHttpResponse(held(_after(first, chunks), opened), content_type=kind)
    shown = "".join(c if c.isprintable() else "_" for c in name)
    answer["Content-Disposition"] = content_disposition_header(True, shown) or "attachment"
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    if size is not None:
        answer["Content-Length"] = str(size)
    return answer


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from chunks
