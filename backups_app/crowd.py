"""All who listen to one process: one subscription for them together, and one slot for each.

With a subscription of their own each would unpack every message and wake a thread for it: with a
thousand listeners a quarter of a core (measured). The more listen, the rarer they are told: what
the latest states of jobs cost is bounded, however many want to hear them. A listener's slot holds
the latest message of each job, so whoever reads slowly misses what is out of date, and takes no
memory that grows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from backups_app.remembered import outdate
from backups_app.states import State

GROUP: Final = "jobs"
MOST: Final = 200  # messages a second of one process, to all together


class Slot:
    """The latest message of each job for one listener, on their way to it."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._latest: dict[str, str] = {}
        self._filled = asyncio.Event()

    def put(self, job_id: str, text: str) -> None:
        self._latest[job_id] = text
        self._filled.set()

    async def pass_on(self) -> None:
        """For ever. Waits for a listener that does not read, and holds nobody else up."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._latest:
                await self._send(self._latest.pop(next(iter(self._latest))))


class Crowd:
    """The slots of one event loop. Its subscription lasts while there is somebody."""

    def __init__(self) -> None:
        self._slots: set[Slot] = set()
        self._hearing: asyncio.Task[None] | None = None
        self._joining = asyncio.Lock()
        self._latest: dict[str, str] = {}
        self._running: set[str] = set()
        self._heard = asyncio.Event()

    async def join(self, layer: Any, slot: Slot) -> None:
        """From now on the slot is filled. Raises what Redis raises."""
        async with self._joining:
            if self._hearing is None or self._hearing.done():
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                self._hearing = asyncio.create_task(self._work(layer, channel))
            self._slots.add(slot)

    def leave(self, slot: Slot) -> None:
        self._slots.discard(slot)
        if not self._slots and self._hearing:
            self._hearing.cancel()
            self._hearing = None

    async def _work(self, layer: Any, channel: str) -> None:
        self._running.clear()
        telling = asyncio.create_task(self._tell())
        try:
            while True:
                message = await layer.receive(channel)
                self._note(message["id"], message.get("state", ""))  # none from an older worker
                self._latest[message["id"]] = message["text"]
                self._heard.set()
        finally:
            telling.cancel()
            await layer.group_discard(GROUP, channel)

    def _note(self, job_id: str, state: str) -> None:
        """Who hears that a job began or ended asks for the status, and is to get the new one."""
        if state == State.RUNNING and job_id in self._running:
            return
        outdate()
        if state == State.RUNNING:
            self._running.add(job_id)
        else:
            self._running.discard(job_id)

    async def _tell(self) -> None:
        while True:
            await self._heard.wait()
            self._heard.clear()
            latest, self._latest = self._latest, {}
            for slot in self._slots:
                for job_id, text in latest.items():
                    slot.put(job_id, text)
            await asyncio.sleep(len(self._slots) * len(latest) / MOST)


_crowds: WeakKeyDictionary[asyncio.AbstractEventLoop, Crowd] = WeakKeyDictionary()


def crowd() -> Crowd:
    """The one of the running event loop."""
    return _crowds.setdefault(asyncio.get_running_loop(), Crowd())
