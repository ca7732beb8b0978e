"""Is the data safe? One level, and every reason for it with what to do: computed here, once.

Pure: the same facts always give the same verdict. The dashboard words it, and any other client
of `GET status` can go by `level` and the reasons' codes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, Protocol

from backups_app import freshness
from backups_app.alerts import Alert
from backups_app.models import CHECKS, BucketTrouble, Job, Kind
from backups_app.states import State
from worker.engine.settings import Problem

Level = Literal["good", "attention", "unknown", "bad"]
LEVELS: Final[tuple[Level, ...]] = ("good", "attention", "unknown", "bad")  # the worst last

BROKEN: Final = (State.FAILED, State.LOST)

# What somebody has taken, or nothing we have can open: sound backups elsewhere do not help.
GRAVE: Final = frozenset({"HEAD_MISSING", "HEAD_CHANGED", "KEY_CHANGED", "SWAP_UNSETTLED"})
# Said by a reason of our own, with more in it.
SAID: Final = frozenset({"OVERDUE", "INSTANCE_DOWN"})
ACTIONS: Final = {
    "BACKUP_DAMAGED": "verify",
    "BACKUP_UNUSUAL": "history",
    "DRILL_OVERDUE": "drill",
    "HEAD_CHANGED": "backUp",
    "HEAD_MISSING": "backUp",
    "KEY_CHANGED": "settings",
    "NOTIFY_BROKEN": "settings",
    "PAUSED": "resume",
    "PROXY_UNNAMED": "settings",
    "RETENTION_HALTED": "confirm",
    "SETTINGS_WRONG": "settings",
    "VERIFY_OVERDUE": "verify",
}


class Down(Protocol):
    """An instance that a run has left stopped."""

    @property
    def name(self) -> str: ...
    @property
    def job(self) -> Job: ...
    @property
    def since(self) -> datetime | None: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True)
class Facts:
    """What is known. `newest`: when the newest sound backup was made that is in the bucket.

    `looked`: whether the bucket was ever read; `trouble`: why it cannot be now. `left_out`: how
    many files the newest backup could not take whole. `check`: the verification or drill that
    ended last. `grace`: how late a backup may be.
    """

    now: datetime
    newest: datetime | None = None
    looked: bool = True
    trouble: BucketTrouble | None = None
    enabled: bool = True
    schedule: str = "0 2 * * *"
    timezone: str = "UTC"
    grace: timedelta = timedelta(hours=2)
    problems: Sequence[Problem] = ()
    down: Sequence[Down] = ()
    alerts: Sequence[Alert] = ()
    current: Job | None = None
    last_backup: Job | None = None
    left_out: int = 0
    check: Job | None = None
    workers: int = 1
    local: bool = False


@dataclass(frozen=True)
class Reason:
    """`action` names what can be pressed (see docs/api.md), `subject` and `at` what it is about."""

    level: Level
    code: str
    message: str
    hint: str
    action: str = ""
    subject: str = ""
    at: datetime | None = None
    backup_key: str = ""


@dataclass(frozen=True)
class Verdict:
    """`reasons`: the worst first, none when all is well."""

    level: Level
    newest: datetime | None
    reasons: tuple[Reason, ...]


def judge(facts: Facts) -> Verdict:
    """The verdict on these facts."""
    found = [
        *_down(facts),
        *_problems(facts),
        *_alerts(facts),
        *_bucket(facts),
        *_age(facts),
        *_last_run(facts),
        *_left_out(facts),
        *_check(facts),
        *_workers(facts),
        *_place(facts),
        *_schedule(facts),
    ]
    reasons = tuple(sorted(found, key=lambda one: -LEVELS.index(one.level)))
    return Verdict(reasons[0].level if reasons else "good", facts.newest, reasons)


def _down(facts: Facts) -> Iterator[Reason]:
    """Whatever the backups are like: what we stopped and what stays down is ours to tell."""
    for one in facts.down:
        why = f"{one.message}. " if one.message else ""
        yield Reason(
            "bad", "INSTANCE_DOWN", f"{one.name} was stopped for a backup and does not start",
            f"{why}It is tried again every half minute; start it by hand if that does not help.",
            action="history", subject=one.name, at=one.since,
        )  # fmt: skip


def _problems(facts: Facts) -> Iterator[Reason]:
    """A wrong setting stops every run; what lies in the bucket already is still there."""
    level: Level = "attention" if _standing(facts) == "good" else "bad"
    for one in facts.problems:
        yield Reason(
            level, "SETTINGS_WRONG", one.message, one.hint, action="settings", subject=one.variable
        )


def _alerts(facts: Facts) -> Iterator[Reason]:
    for one in facts.alerts:
        if _said(one, facts):
            continue
        yield Reason(
            "bad" if one.code in GRAVE else "attention",
            one.code, one.message, one.hint,
            ACTIONS.get(one.code, ""), one.subject, one.at, one.backup_key,
        )  # fmt: skip


def _said(alert: Alert, facts: Facts) -> bool:
    """By a reason of our own. Settings may be wrong in another part alone."""
    if alert.code == "SETTINGS_WRONG":
        return bool(facts.problems)
    return alert.code in SAID or (alert.code == "PART_MISSING" and alert.subject == "worker")


def _bucket(facts: Facts) -> Iterator[Reason]:
    """What is not known is not called missing: no backup may lie there, or a hundred."""
    level: Level = "attention" if facts.newest else "unknown"
    if facts.problems:
        return
    if facts.trouble:
        hint = f"{facts.trouble.message}. {facts.trouble.hint}"
        yield Reason(
            level, "BUCKET_UNREADABLE", "the bucket cannot be read", hint, action="doctor",
            subject=facts.trouble.code, at=facts.trouble.since,
        )  # fmt: skip
    elif not facts.looked and facts.newest is None:
        hint = "That is done once an hour, and whenever the list of backups is opened."
        yield Reason(
            level, "NOT_LOOKED", "nobody has looked into the bucket yet", hint, action="refresh"
        )


def _age(facts: Facts) -> Iterator[Reason]:
    if facts.newest is None:
        if facts.looked and not facts.problems and not facts.trouble:
            yield _none_yet(facts.current)
        return
    level = _standing(facts)
    if level != "good":
        hint = "Press “Back up now”, then look at the history for why none was made since."
        yield Reason(
            level, "BACKUP_OLD", "the last backup is too old", hint, action="backUp",
            at=facts.newest,
        )  # fmt: skip


def _none_yet(current: Job | None) -> Reason:
    if current and current.kind == Kind.BACKUP:
        hint = "Wait until it is done: until then nothing can be restored."
        return Reason("bad", "FIRST_RUNNING", "the first backup is still being made", hint)
    hint = "Press “Back up now” to make the first one."
    return Reason("bad", "NO_BACKUP", "there is no backup yet", hint, action="backUp")


def _standing(facts: Facts) -> Level:
    if facts.newest is None:
        return "bad"
    line = facts.schedule if facts.enabled and not facts.problems else ""
    return freshness.of(facts.newest, facts.now, line, facts.timezone, facts.grace)


def _last_run(facts: Facts) -> Iterator[Reason]:
    job = facts.last_backup
    if job is None or job.state not in BROKEN:
        return
    if facts.newest and facts.newest > job.created_at:
        return
    yield Reason(
        "attention", "LAST_FAILED", f"the last try failed: {job.error_message}", job.error_hint,
        action="history", subject=str(job.pk), at=job.finished_at,
    )  # fmt: skip


def _left_out(facts: Facts) -> Iterator[Reason]:
    if facts.left_out:
        files = "one file" if facts.left_out == 1 else f"{facts.left_out} files"
        yield Reason(
            "attention", "FILES_LEFT_OUT", f"the newest backup does not hold {files} as they were",
            "Its warnings in the history name each. Mend them, or leave them out by"
            " BACKUP_EXCLUDE.",
            action="history", subject=str(facts.left_out),
        )  # fmt: skip


def _check(facts: Facts) -> Iterator[Reason]:
    """One that found damage has its alert already, and is among those here all the same."""
    job = facts.check
    if job is None or job.kind not in CHECKS or job.state not in BROKEN:
        return
    if any(one.code == "BACKUP_DAMAGED" and one.backup_key == job.backup_key
           for one in facts.alerts):  # fmt: skip
        return
    yield Reason(
        "attention", "CHECK_FAILED", f"the last {job.get_kind_display()} failed:"
        f" {job.error_message}", job.error_hint,
        action="verify" if job.kind == Kind.VERIFY else "drill",
        subject=str(job.pk), at=job.finished_at, backup_key=job.backup_key,
    )  # fmt: skip


def _workers(facts: Facts) -> Iterator[Reason]:
    if facts.workers == 0:
        hint = "Backups wait until one is there. Start Tarkeep's worker again and look at its log"
        hint += " for why it stopped."
        yield Reason("attention", "NO_WORKER", "no worker is running", hint)


def _place(facts: Facts) -> Iterator[Reason]:
    if facts.local:
        hint = (
            "If this machine is lost, they are lost with it. Create a bucket elsewhere, then set"
            " BACKUP_S3_BUCKET, BACKUP_S3_ACCESS_KEY, BACKUP_S3_SECRET_KEY (and BACKUP_S3_ENDPOINT"
            " for storage other than AWS) in the file .env, and start Tarkeep again."
        )
        text = "backups lie on this same machine"
        yield Reason("attention", "STORAGE_LOCAL", text, hint, action="settings")


def _schedule(facts: Facts) -> Iterator[Reason]:
    if not facts.enabled:
        hint = "Backups are made only when somebody asks. Set BACKUP_ENABLED=true in the file"
        hint += " .env and start Tarkeep again."
        yield Reason("attention", "SCHEDULE_OFF", "the schedule is off", hint, action="settings")
