"""The doctor for the whole service: what the engine's finds, and database, Redis, parts, proofs.

Looked at from where it runs: the folders are those of that machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

import redis
from django.db import DatabaseError, connection

from backups_app import hosts, schema
from backups_app.alerts import alerts, parts
from backups_app.models import Job, Kind, Part
from backups_app.models.host import AT_WORK
from backups_app.proofs import last, records
from backups_app.states import State
from worker.engine import doctor as engine
from worker.engine.config import HOME
from worker.engine.doctor import Finding, Report
from worker.engine.settings import Settings

SECONDS: Final = 2.0
SERVICE: Final = 1  # exit code: no setting is wrong, and something does not run


def examine(settings: Settings, *, now: datetime) -> Report:
    """Everything. Raises nothing: what fails is a finding."""
    report = engine.examine(settings, now=now)
    return replace(report, findings=(*report.findings, *_service(settings, now)))


def _service(settings: Settings, now: datetime) -> Iterator[Finding]:
    yield _redis(settings.redis_url)
    try:
        yield _database()
        yield from _parts()
        yield from _parts_there(settings.plan.host)
        yield from _history(settings.plan.plan)
        yield from _alerts(settings, now)
    except DatabaseError as error:
        hint = "Look at DATABASE_URL, and whether the server runs and the tables are migrated."
        yield Finding("bad", "database", type(error).__name__, hint, SERVICE)


def _redis(url: str) -> Finding:
    try:
        limits = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
        with redis.Redis.from_url(url, **limits) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        hint = "Look at REDIS_URL. Without Redis jobs wait until a worker looks for them itself."
        return Finding("bad", "redis", type(error).__name__, hint, SERVICE)
    return Finding("ok", "redis", "it answers")


def _database() -> Finding:
    connection.ensure_connection()
    if wrong := schema.mismatch():
        hint = "Bring program and database to the same version."
        return Finding("bad", "database", wrong, hint, SERVICE)
    return Finding("ok", "database", f"{connection.display_name} answers, its tables fit")


def _parts() -> Iterator[Finding]:
    for state in parts():
        if state.alive:
            yield Finding("ok", state.part.value, "it runs")
        else:
            seen = f"last seen {state.seen:%Y-%m-%d %H:%M} UTC" if state.seen else "not seen"
            hint = "Start it; docs/deployment.md tells how."
            if state.part == Part.WEB:
                yield Finding("note", state.part.value, seen, hint)
            else:
                yield Finding("bad", state.part.value, seen, hint, SERVICE)


def _parts_there(host: str) -> Iterator[Finding]:
    """Of a further machine, which has two."""
    for part in AT_WORK if host != HOME else ():
        name = f"{part.value}@{host}"
        if host in hosts.living(part):
            yield Finding("ok", name, "it runs")
        else:
            hint = "Start it there; docs/several-machines.md tells how."
            yield Finding("bad", name, "not seen within 45 seconds", hint, SERVICE)


def _history(plan: str) -> Iterator[Finding]:
    ended = Job.objects.filter(plan=plan, kind=Kind.BACKUP, finished_at__isnull=False)
    job = ended.exclude(state=State.CANCELLED).order_by("-finished_at").first()
    if job is None:
        yield Finding("note", "last backup", "none was made by this service", "Make one.")
    elif job.state == State.SUCCEEDED:
        yield Finding("ok", "last backup", f"{job.finished_at:%Y-%m-%d %H:%M} UTC")
    else:
        yield Finding("bad", "last backup", job.error_message, job.error_hint, SERVICE)
    known = records(plan)
    for about, kind in (("last verification", Kind.VERIFY), ("last drill", Kind.DRILL)):
        proof = last(known, kind)
        if proof:
            yield Finding("ok", about, f"{proof.at:%Y-%m-%d %H:%M} UTC")
        else:
            hint = f"Look at BACKUP_{kind.name}_SCHEDULE: only a backup read back is proven."
            yield Finding("note", about, "none went well yet", hint)


def _alerts(settings: Settings, now: datetime) -> Iterator[Finding]:
    for alert in alerts(settings, now):
        yield Finding("note", f"alert {alert.code}", alert.message, alert.hint)
