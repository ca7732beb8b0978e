"""What people are told, in words: of a job that ended, of an alert that came, stays or is over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from backups_app.alerts import Alert
from backups_app.attempts import next_attempt, was_drained
from backups_app.models import CHECKS, Job, OpenAlert
from backups_app.states import State
from backups_app.story import short_id
from worker.engine.config import DEFAULT_PLAN
from worker.engine.progress import WORRYING

FAILED: Final = (State.FAILED, State.LOST)


@dataclass(frozen=True)
class News:
    """`events`: it goes out as the first of them that was chosen. `about`: the thing that changed.

    `topic` tells what is alike: the same said twice of one thing within half an hour is held back.
    """

    events: tuple[str, ...]
    about: str
    topic: str
    title: str
    body: str


def of_job(job: Job) -> News | None:
    """How it ended. None when that is no news: it was cancelled, or goes on as it was."""
    events = _events(job)
    if not events:
        return None
    warned = "; ".join(f"{one['path']}: {one['message']}" for one in job.warnings[:3])
    body = _lines(
        f"Job {short_id(job.pk)} of plan {job.plan}, asked by {job.trigger}",
        job.error_message,
        job.error_hint,
        f"Backup {job.backup_key}" if job.backup_key else "",
        f"{job.warning_count} warnings: {warned}" if job.warning_count else "",
    )
    about, topic = f"{job.plan} {job.kind}", f"{events[0]} {job.kind} {job.error_code}"
    title = f"{_who(job.plan)}: {job.kind} {_said(job, events)}"
    return News(events, about, topic, title, body)


def of_alert(alert: Alert, plan: str = DEFAULT_PLAN, *, again: bool = False) -> News:
    """That it is there; `again`: that it still is."""
    event, about = _ALERT_EVENTS.get(alert.code, "failure"), _thing(alert.code, alert.about, plan)
    title = f"{_who(plan)}: {'still: ' if again else ''}{alert.message}"
    return News((event,), about, about, title, alert.hint)


def of_end(row: OpenAlert) -> News:
    """That an alert is over."""
    about = _thing(row.code, row.subject, row.plan)
    body = f"{row.message}\nThis is over."
    return News(("recovered",), about, f"over {about}"[:200], f"{_who(row.plan)}: recovered", body)


_ALERT_EVENTS: Final = {
    "OVERDUE": "overdue",
    "VERIFY_OVERDUE": "overdue",
    "DRILL_OVERDUE": "overdue",
    "RETENTION_HALTED": "warning",
    "PROXY_UNNAMED": "warning",
    "PAUSED": "warning",
    "BACKUP_UNUSUAL": "warning",
}
_SAID: Final = {
    ("success",): "succeeded",
    ("drill",): "succeeded",
    ("warning",): "ended with warnings",
    ("failure",): "failed",
    ("missed",): "was missed",
    ("recovered", "warning"): "works again, with warnings",
}


def _thing(code: str, subject: str, plan: str) -> str:
    return f"{code} {subject}"[:200] if plan == DEFAULT_PLAN else f"{plan} {code} {subject}"[:200]


def _who(plan: str) -> str:
    """Who has one plan never reads its name."""
    return "Tarkeep" if plan == DEFAULT_PLAN else f"Tarkeep, plan {plan}"


def _events(job: Job) -> tuple[str, ...]:
    """What its end is: the first that was chosen counts."""
    if job.state == State.CANCELLED or was_drained(job):
        return ()
    if job.state in FAILED:
        if job.error_code == "SLOT_MISSED":
            return ("missed",)
        return ("warning" if next_attempt(job) else "failure",)
    warned = any(one["code"] in WORRYING for one in job.warnings)
    good = "warning" if warned else "drill" if job.kind in CHECKS else "success"
    return ("recovered", good) if _recovers(job) else (good,)


def _recovers(job: Job) -> bool:
    """Whether the run of its kind before this one failed."""
    before = Job.objects.filter(plan=job.plan, kind=job.kind, created_at__lt=job.created_at)
    ended = before.filter(state__in=(State.SUCCEEDED, *FAILED))
    last = ended.exclude(state=State.LOST, error_code="DRAINED").order_by("-created_at").first()
    return last is not None and last.state in FAILED


def _said(job: Job, events: tuple[str, ...]) -> str:
    if job.state not in FAILED or job.error_code == "SLOT_MISSED":
        return _SAID.get(events, "works again")
    ended = "was lost" if job.state == State.LOST else "failed"
    return f"{ended}, and is tried again" if next_attempt(job) else ended


def _lines(*lines: str) -> str:
    return "\n".join(line for line in lines if line)
