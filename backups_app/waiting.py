"""Why a job still waits, in words: for whoever looks at it."""

from __future__ import annotations

from django.conf import settings

from backups_app import hosts
from backups_app.models import Job, Part
from backups_app.states import State
from worker.engine.config import HOME
from worker.engine.errors import EngineError


def why_waits(job: Job) -> EngineError | None:
    """None for a job that does not wait, or waits for its turn alone."""
    if job.state != State.PENDING:
        return None
    if job.host not in hosts.living():
        return _worker_away(job.host)
    limit = settings.TARKEEP.max_running
    if limit and Job.objects.running().count() >= limit:
        message = f"{limit} jobs run already, as many as are allowed at once"
        return EngineError(message, hint="BACKUP_MAX_RUNNING says how many.", code="LIMIT_REACHED")
    return None


def _worker_away(host: str) -> EngineError:
    where = "The worker" if host == HOME else f"The worker of the machine {host}"
    seen = hosts.last_seen(host, Part.WORKER)
    last = f"since {seen:%Y-%m-%d %H:%M} UTC" if seen else "for a day or ever"
    hint = "The job begins when it comes back. Start it, or see whether it reaches the database."
    return EngineError(f"{where} was not seen {last}", hint=hint, code="WORKER_AWAY")
