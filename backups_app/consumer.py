"""ws/backup/: the active and latest jobs on connect, then each job that changes, whole.

Messages to the client: `{"type": "snapshot", "jobs": [...]}`, `{"type": "job", "job": {...}}`
and `{"type": "pong"}`. The client may send `{"type": "ping"}` and nothing else. Channel layers
deliver at most once, so a job carries its `revision`: drop what is older than what you have.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError, InterfaceError
from redis.exceptions import RedisError

from backups_app import refusals
from backups_app.api.serialisers import job_json
from backups_app.crowd import Slot, crowd
from backups_app.listener import Listener, of_scope
from backups_app.models import Job

log = logging.getLogger(__name__)

PROTOCOL: Final = "tarkeep"
LATEST: Final = 10
MAX_MESSAGE: Final = 4096
CHECK_EVERY: Final = 30  # seconds
RATE, RATE_WINDOW = 20, 10.0  # messages of a client in so many seconds
FORBIDDEN, TOO_BIG, UNKNOWN, UNAVAILABLE, TOO_FAST = 4401, 1009, 1003, 1013, 1008


class JobsConsumer(AsyncJsonWebsocketConsumer):
    tasks: tuple[asyncio.Task[None], ...] = ()
    heard: list[float]  # when the client's latest messages came

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heard = []
        self.slot = Slot(self._pass_on)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Without Redis, or a database, refuse the handshake: the client asks the API until then.

        Channels subscribes before `connect` is called, and would raise, trace and answer 500.
        """
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, DatabaseError, InterfaceError) as error:
            log.warning("No live progress now: %s", type(error).__name__)
            await send({"type": "websocket.close", "code": UNAVAILABLE})

    async def connect(self) -> None:
        """Refused handshakes answer 403. Joins first, then reads: nothing falls in between."""
        listener = of_scope(self.scope)
        if not await _ask(listener):
            await self._refuse(listener)
            return
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)
        await crowd().join(self.channel_layer, self.slot)
        await self.send_json({"type": "snapshot", "jobs": await _snapshot()})
        work = (self.slot.pass_on(), self._watch(listener))
        self.tasks = tuple(asyncio.create_task(one) for one in work)

    async def disconnect(self, code: int) -> None:
        for task in self.tasks:
            task.cancel()
        crowd().leave(self.slot)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any
    ) -> None:
        """Text alone, and little of it."""
        if self._too_fast():
            await self.close(code=TOO_FAST)
        elif text_data is None or len(text_data) > MAX_MESSAGE:
            await self.close(code=TOO_BIG if text_data else UNKNOWN)
        elif text_data.replace(" ", "") == '{"type":"ping"}':
            await self.send_json({"type": "pong"})
        else:
            await self.close(code=UNKNOWN)

    async def _pass_on(self, text: str) -> None:
        """Without Channels' layers between, which take as long as the sending itself."""
        message: Any = {"type": "websocket.send", "text": text}
        await self.base_send(message)

    async def _refuse(self, listener: Listener) -> None:
        """403, or 429 for whoever goes on guessing where the server can say so."""
        few = await database_sync_to_async(listener.refuse)()
        if few or "websocket.http.response" not in (self.scope.get("extensions") or {}):
            await self.close(code=FORBIDDEN)
            return
        wait = (b"retry-after", str(refusals.WINDOW).encode())
        start: Any = {"type": "websocket.http.response.start", "status": 429, "headers": [wait]}
        await self.base_send(start)
        body: Any = {"type": "websocket.http.response.body", "body": b""}
        await self.base_send(body)

    async def _watch(self, listener: Listener) -> None:
        """Ends the connection of whoever has logged out, or may no longer look; and when nobody
        can say whether they may: they come back, and are asked anew."""
        code = FORBIDDEN
        try:
            while listener.could_look() or await _ask(listener):
                await asyncio.sleep(CHECK_EVERY)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody hears on unwatched
            log.warning("A listener could not be checked: %s", type(error).__name__)
            code = UNAVAILABLE
        await self.close(code=code)

    def _too_fast(self) -> bool:
        now = monotonic()
        self.heard = [*(at for at in self.heard if at > now - RATE_WINDOW), now]
        return len(self.heard) > RATE


@database_sync_to_async
def _ask(listener: Listener) -> bool:
    return listener.may_look()


@database_sync_to_async
def _snapshot() -> list[dict[str, Any]]:
    """The active jobs, and the latest ten."""
    jobs = {job.pk: job for job in [*Job.objects.active(), *Job.objects.all()[:LATEST]]}
    return [job_json(job) for job in jobs.values()]
