"""Answers to the one request that is asked again and again: they are the same for two seconds.

A page or a monitor on each desk asks for the status, and working it out takes a score of queries.
Who sends the same request with the same headers, and so the same token or session, gets the same
answer for two seconds; a change that this process makes, or hears of, ends that at once. A token
that was just revoked may so read the status for that long.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

PATHS: Final = {"/api/backup/status", "/api/backup/status/"}
SECONDS: Final = 2.0
MOST: Final = 200
SAFE: Final = {"GET", "HEAD", "OPTIONS"}
ASKED: Final = {("GET", path) for path in PATHS}


_changes = 0


def outdate() -> None:
    """Something is no longer as it was: no answer that was begun before now is given again."""
    global _changes
    _changes += 1


@dataclass(frozen=True)
class Answer:
    """All that was sent; when it began to be worked out, and after how many changes."""

    messages: tuple[dict[str, Any], ...]
    at: float
    changes: int

    @property
    def is_fresh(self) -> bool:
        return self.changes == _changes and monotonic() - self.at <= SECONDS

    @property
    def is_good(self) -> bool:
        headers = {name for name, _ in self.messages[0]["headers"]}
        return self.messages[0]["status"] == 200 and b"set-cookie" not in headers


class Remembered:
    """ASGI middleware."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self._kept: dict[Any, asyncio.Future[Answer | None]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) not in ASKED:
            await self.inner(scope, receive, send)
            if scope.get("method", "GET") not in SAFE:
                outdate()
            return
        answer = await self._answer(scope, receive)
        for message in answer.messages:
            await send(message)

    async def _answer(self, scope: dict[str, Any], receive: Any) -> Answer:
        """One works it out, and whoever asks the same meanwhile waits for that one."""
        key = (scope["scheme"], scope["path"], scope["query_string"], tuple(scope["headers"]))
        while kept := self._kept.get(key):
            if not kept.done():
                await asyncio.wait([kept])  # not itself: who gives up must not cancel it
            if (known := kept.result()) and known.is_fresh:
                return known
            if self._kept.get(key) is kept:  # nobody else works it out anew
                break
        return await self._work_out(key, scope, receive)

    async def _work_out(self, key: Any, scope: dict[str, Any], receive: Any) -> Answer:
        mine: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = mine
        sent: list[dict[str, Any]] = []
        begun, changes = monotonic(), _changes
        try:
            await self.inner(scope, receive, _collector(sent))
            answer = Answer(tuple(sent), begun, changes)
            mine.set_result(answer if answer.is_good else None)
        finally:
            if not mine.done():
                mine.set_result(None)
        return answer


def _collector(sent: list[dict[str, Any]]) -> Any:
    async def collect(message: dict[str, Any]) -> None:
        sent.append(message)

    return collect
