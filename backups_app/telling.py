"""From what happened to what people are told: jobs that began and ended, alerts that came and went.

It looks at the database instead of being called: so a run is never slowed, and whatever way a job
ended (by its worker, by the reaper, without ever beginning), its end is told once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Q, Value
from django.db.models.functions import Now

from backups_app import news, notices
from backups_app.alerts import Alert, alerts, of_plan
from backups_app.attempts import next_attempt
from backups_app.models import Job, Kind, OpenAlert, Trigger
from backups_app.models.job import Told
from backups_app.states import ACTIVE, State
from worker.engine.config import DEFAULT_PLAN
from worker.engine.settings import Settings

AT_ONCE: Final = 100
REMIND_EVERY: Final = timedelta(days=1)


def tell_jobs(settings: Settings) -> None:
    """Write notices and heartbeats for jobs that began or ended since we last looked.

    Which of several lookers tells a job, one conditional UPDATE decides.
    """
    untold = Job.objects.filter(~Q(told=Told.END), plan=settings.plan.plan)
    for job in untold.exclude(state=State.PENDING).order_by("created_at")[:AT_ONCE]:
        if job.trigger == Trigger.IMPORT:
            _mark(job, Told.END)
        elif job.state in ACTIVE:
            _tell_beginning(job, settings)
        else:
            _tell_end(job, settings)


def tell_alerts(settings: Settings, now: datetime) -> None:
    """Tell alerts that are new, those that are over, and each day those that are neither.

    Those of the service are told with the default plan.
    """
    plan = settings.plan.plan
    there = alerts(settings, now) if plan == DEFAULT_PLAN else of_plan(settings, now)
    found = {(one.code, one.about): one for one in there}
    told = {(row.code, row.subject): row for row in OpenAlert.objects.filter(plan=plan)}
    for which, alert in found.items():
        if which in told:
            _remind(told[which], alert, settings)
        else:
            _open(alert, settings)
    for which in told.keys() - found.keys():
        _close(told[which], settings)


def _open(alert: Alert, settings: Settings) -> None:
    which = {"plan": settings.plan.plan, "code": alert.code, "subject": alert.about}
    try:
        with transaction.atomic():
            OpenAlert.objects.create(**which, message=alert.message)
            notices.post(settings.notify, news.of_alert(alert, settings.plan.plan))
    except IntegrityError:
        return  # another part was first


def _remind(row: OpenAlert, alert: Alert, settings: Settings) -> None:
    """One of those who look finds it due."""
    due = OpenAlert.objects.filter(pk=row.pk, told_at__lt=Now() - Value(REMIND_EVERY))
    with transaction.atomic():
        if due.update(told_at=Now()):
            notices.post(settings.notify, news.of_alert(alert, settings.plan.plan, again=True))


def _close(row: OpenAlert, settings: Settings) -> None:
    with transaction.atomic():
        if OpenAlert.objects.filter(pk=row.pk).delete()[0]:
            notices.post(settings.notify, news.of_end(row))


def _mark(job: Job, told: Told) -> bool:
    """False when somebody else has told it meanwhile."""
    return bool(Job.objects.filter(pk=job.pk, told=job.told).update(told=told))


def _tell_beginning(job: Job, settings: Settings) -> None:
    with transaction.atomic():
        if job.told == Told.NOTHING and _mark(job, Told.BEGINNING) and _has_heartbeat(job):
            notices.ping(settings.notify, "start")


def _tell_end(job: Job, settings: Settings) -> None:
    with transaction.atomic():
        if _mark(job, Told.END):
            _ping_end(job, settings)
            if told := news.of_job(job):
                notices.post(settings.notify, told)


def _ping_end(job: Job, settings: Settings) -> None:
    """A start that nobody saw, the run being short, goes first. A cancelled run says nothing."""
    if not _has_heartbeat(job) or job.state == State.CANCELLED or next_attempt(job):
        return
    if job.told == Told.NOTHING and job.started_at:
        notices.ping(settings.notify, "start")
    notices.ping(settings.notify, "success" if job.state == State.SUCCEEDED else "fail")


def _has_heartbeat(job: Job) -> bool:
    """There is one address: another plan's success must not hide that the default one fails."""
    return job.kind == Kind.BACKUP and job.plan == DEFAULT_PLAN
