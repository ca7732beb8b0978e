"""Every part of the service says that it lives, looks after the others, and sends what waits.

Two threads in each process: a pulse that only talks to the database, and a post that talks to
the outside and may be kept waiting by it. Both may run in any number of processes at once.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterable
from functools import partial
from threading import Event, Lock, Thread
from typing import Final, TypeVar

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone

from backups_app import current, hosts, notices, plans, telling
from backups_app.models import Part
from worker.engine.notify.send import send

T = TypeVar("T")

log = logging.getLogger(__name__)

PULSE: Final = 15.0
POST: Final = 3.0

# SQLite must not be open in a process while it forks: the child would inherit a notion of
# locks that it does not hold. So forks of a pool wait while a thread below is connected.
_connected = Lock()
os.register_at_fork(
    before=_connected.acquire,
    after_in_parent=_connected.release,
    after_in_child=_connected.release,
)


def own_name(part: Part) -> str:
    """Tells processes of one part apart: machine and process."""
    return f"{part.value}@{socket.gethostname()}:{os.getpid()}"


def beat(name: str, parts: Iterable[Part], also: Callable[[], None]) -> None:
    """One round of the pulse. Raises nothing, and leaves no connection open."""

    def mark() -> None:
        current.refresh()
        hosts.mark(settings.TARKEEP, name, parts)

    def tell() -> None:
        if hosts.is_home(settings.TARKEEP):
            for plan in plans.all_settings():
                telling.tell_alerts(plan, timezone.now())

    for work in (mark, also, tell):
        _guarded(work)


def post() -> None:
    """One round of the post. The database is let go while the outside is being waited for.

    Other machines than the main one need not know whom to tell.
    """
    if not hosts.is_home(settings.TARKEEP):
        return
    config = settings.TARKEEP.notify
    _guarded(_tell_jobs)
    while taken := _guarded(partial(notices.take_next, config)):
        notice, message = taken
        reason = send(message, dict(os.environ)) if message else None
        _guarded(partial(notices.record, notice, reason))


def _tell_jobs() -> None:
    for plan in plans.all_settings():
        telling.tell_jobs(plan)


class Watcher:
    """The two threads of this process. `parts`: what it is now; none when it is not well."""

    def __init__(
        self,
        name: str,
        parts: Callable[[], Iterable[Part]],
        also: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._parts = parts
        self._also = also
        self._over, self._due = Event(), Event()

    def start(self) -> None:
        for work in (self._pulse, self._post):
            Thread(target=work, name=work.__name__, daemon=True).start()

    def stop(self) -> None:
        """The pulse says goodbye by itself."""
        self._over.set()
        self._due.set()

    def hurry(self) -> None:
        """What there is to say is said now, not with the next pulse."""
        self._due.set()

    def _pulse(self) -> None:
        while not self._over.is_set():
            self._due.clear()
            beat(self.name, self._parts(), self._also)
            self._due.wait(PULSE)
        _guarded(partial(hosts.leave, settings.TARKEEP, self.name))

    def _post(self) -> None:
        while not self._over.wait(POST):
            post()


def _guarded(work: Callable[[], T]) -> T | None:
    """What `work` gives back. A round that broke must not be the last one."""
    with _connected:
        try:
            return work()
        except DatabaseError as error:
            log.warning("Watching waits for the database: %s", type(error).__name__)
        except Exception:
            log.exception("A round of watching broke")
        finally:
            connection.close()
    return None
