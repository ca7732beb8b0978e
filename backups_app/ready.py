"""`/readyz`: whether a backup asked for now would be made. For load balancers and monitors."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import ClassVar, Final

import redis
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from backups_app import roles, schema
from backups_app.api.base import View
from backups_app.api.permissions import OPEN
from backups_app.models import Job, Part, PartSeen
from worker.engine.config import HOME
from worker.engine.errors import EngineError
from worker.engine.settings import Settings, require
from worker.engine.storage.s3 import open_storage
from worker.engine.storage.s3_client import Patience

log = logging.getLogger(__name__)

SECONDS: Final = 2.0
REMEMBERED: Final = 20.0


class Remembered:
    """The last look at all of it: anybody may ask, and must not make us ask the bucket each time.

    One looks at a time; the others get what the last one saw.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._at = 0.0
        self._seen: dict[str, str] = {}

    def look(self, config: Settings) -> dict[str, str]:
        with self._lock:
            if not self._seen or monotonic() - self._at > REMEMBERED:
                self._seen, self._at = examine(config), monotonic()
            return self._seen

    def forget(self) -> None:
        self._seen = {}


remembered = Remembered()


def examine(config: Settings) -> dict[str, str]:
    """By what was looked at: "" when it is well, else what is wrong. Raises nothing."""
    database = _try(lambda: Job.objects.exists())
    return {
        "settings": _try(lambda: require(config)),
        "database": database or _try(schema.demand),
        "redis": _try(lambda: _ping(config.redis_url)),
        "s3": _try(lambda: _ask_bucket(config)),
        **{part.value: database or _seen(part) for part in (Part.WORKER, Part.CONTROL, Part.BEAT)},
    }


def _try(look: Callable[[], object]) -> str:
    """The reason in words of our own: messages of connections may quote a password."""
    try:
        look()
    except EngineError as error:
        return error.message
    except (DatabaseError, redis.RedisError, OSError) as error:
        return type(error).__name__
    return ""


def _ping(url: str) -> None:
    with redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as r:
        r.ping()


def _ask_bucket(config: Settings) -> None:
    if not config.problems:
        storage = open_storage(config.storage, patience=Patience(attempts=1, seconds=0))
        storage.check(config.plan.prefix)


def _seen(part: Part) -> str:
    return "" if PartSeen.objects.alive().filter(host=HOME, part=part).exists() else "not seen"


class ReadyView(View):
    """200 or 503 for everybody; what exactly is wrong only for those who may look."""

    needs: ClassVar = {"GET": OPEN}
    throttle_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        seen = remembered.look(settings.TARKEEP)
        status = 503 if any(seen.values()) else 200
        if request.user.has_perm(roles.VIEW):
            return JsonResponse({"ready": status == 200, "checks": seen}, status=status)
        text = "ready\n" if status == 200 else "not ready\n"
        return HttpResponse(text, content_type="text/plain", status=status)
