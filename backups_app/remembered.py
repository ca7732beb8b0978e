"""Answers to the one request that is asked again and again: they are the same for two seconds.

A page or a monitor on each desk asks for the status, and working it out takes a score of queries.
Who sends the same request with the same headers, and so the same token or session, gets the same
answer for two seconds; a change that this process makes ends that at once. A token that was just
revoked may so read the status for that long.
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


@dataclass(frozen=True)
class Answer:
    """All that was sent, and when it began to be worked out."""

    messages: tuple[dict[str, Any], ...]
    at: float

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
                self._kept.clear()
            return
        answer = await self._answer(scope, receive)
        for message in answer.messages:
            await send(message)

    async def _answer(self, scope: dict[str, Any], receive: Any) -> Answer:
        """One works it out, and whoever asks the same meanwhile waits for that one."""
        key = (scope["scheme"], scope["path"], scope["query_string"], tuple(scope["headers"]))
        kept = self._kept.get(key)
        if kept and not kept.done():
            await asyncio.wait([kept])  # not the future itself: who gives up must not cancel it
        if kept and (known := _fresh(kept)):
            return known
        return await self._work_out(key, scope, receive)

    async def _work_out(self, key: Any, scope: dict[str, Any], receive: Any) -> Answer:
        mine: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[key] = mine
        sent: list[dict[str, Any]] = []
        begun = monotonic()
        try:
            await self.inner(scope, receive, _collector(sent))
            answer = Answer(tuple(sent), begun)
            mine.set_result(answer if answer.is_good else None)
        finally:
            if not mine.done():
                mine.set_result(None)
        return answer


def _fresh(kept: asyncio.Future[Answer | None]) -> Answer | None:
    answer = kept.result()
    return answer if answer and monotonic() - answer.at <= SECONDS else None


def _collector(sent: list[dict[str, Any]]) -> Any:
    async def collect(message: dict[str, Any]) -> None:
        sent.append(message)

    return collect
