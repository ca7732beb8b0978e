"""ws/backup/: the active and latest jobs on connect, then each job that changes, whole.

Messages to the client: `{"type": "snapshot", "jobs": [...]}`, `{"type": "job", "job": {...}}`
and `{"type": "pong"}`. The client may send `{"type": "ping"}` and nothing else. Channel layers
deliver at most once, so a job carries its `revision`: drop what is older than what you have.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from redis.exceptions import RedisError

from backups_app.api.auth import token_is_right
from backups_app.api.serialisers import job_json
from backups_app.events import GROUP
from backups_app.models import Job

log = logging.getLogger(__name__)

PROTOCOL: Final = "tarkeep"
LATEST: Final = 10
MAX_MESSAGE: Final = 4096
FORBIDDEN, TOO_BIG, UNKNOWN, UNAVAILABLE = 4401, 1009, 1003, 1013


class JobsConsumer(AsyncJsonWebsocketConsumer):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Without Redis refuse the handshake: the client asks the API until it can connect.

        Channels subscribes before `connect` is called, and would raise, trace and answer 500.
        """
        try:
            await super().__call__(scope, receive, send)
        except RedisError as error:
            log.warning("No live progress without Redis: %s", type(error).__name__)
            await send({"type": "websocket.close", "code": UNAVAILABLE})

    async def connect(self) -> None:
        """Refused handshakes answer 403. Joins first, then reads: nothing falls in between."""
        if not self._may_listen():
            await self.close(code=FORBIDDEN)
            return
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.send_json({"type": "snapshot", "jobs": await _snapshot()})

    async def disconnect(self, code: int) -> None:
        with suppress(RedisError):  # a layer without Redis forgets its groups by itself
            await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any
    ) -> None:
        """Text alone, and little of it."""
        if text_data is None or len(text_data) > MAX_MESSAGE:
            await self.close(code=TOO_BIG if text_data else UNKNOWN)
        elif text_data.replace(" ", "") == '{"type":"ping"}':
            await self.send_json({"type": "pong"})
        else:
            await self.close(code=UNKNOWN)

    async def job_changed(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "job", "job": event["job"]})

    def _may_listen(self) -> bool:
        """A session, the Authorization header, or the subprotocol `bearer.<token>`."""
        user = self.scope["user"]
        known = user is not None and user.is_authenticated
        return known or any(token_is_right(token) for token in self._tokens())

    def _tokens(self) -> list[str]:
        headers = dict(self.scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        offered = [p[7:] for p in self.scope["subprotocols"] if p.startswith("bearer.")]
        return [*offered, token.strip()] if scheme.lower() == "bearer" else offered


@database_sync_to_async
def _snapshot() -> list[dict[str, Any]]:
    """The active jobs, and the latest ten."""
    jobs = {job.pk: job for job in [*Job.objects.active(), *Job.objects.all()[:LATEST]]}
    return [job_json(job) for job in jobs.values()]
