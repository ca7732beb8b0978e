"""Is the data safe? The verdict, fact by fact; no database, no browser."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from backups_app.alerts import Alert
from backups_app.models import BucketTrouble, Job, Kind
from backups_app.states import State
from backups_app.verdict import Facts, judge
from tests.support.service import KEY
from worker.engine.settings import Problem

NOW = datetime(2025, 8, 29, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FRESH = NOW - 3 * HOUR


@dataclass(frozen=True)
class Down:
    job: Job
    name: str = "docker app"
    since: datetime | None = NOW
    message: str = "no such image"


def job(kind=Kind.BACKUP, state=State.FAILED, age=HOUR, **fields):
    told = {"error_code": "STORAGE_UNREACHABLE", "error_message": "Failed to connect to S3"}
    at = NOW - age
    return Job(kind=kind, state=state, created_at=at, finished_at=at, **{**told, **fields})


def verdict(**facts):
    return judge(Facts(now=NOW, **{"newest": FRESH, **facts}))


def alert(code, **fields):
    return Alert(code, "m", "h", **fields)


PROBLEM = Problem("V", "V is wrong", "Mend it.")
TROUBLE = BucketTrouble(plan="default", code="STORAGE_UNREACHABLE", message="m", since=NOW)
RUNNING = Job(kind=Kind.BACKUP, state=State.RUNNING)
RESTORING = Job(kind=Kind.RESTORE, state=State.RUNNING)


def aged(hours, line="0 2 * * *"):
    return {"newest": NOW - hours * HOUR, "schedule": line}


@pytest.mark.parametrize(
    ("facts", "level", "code"),
    [
        ({}, "good", None),
        ({"enabled": False}, "attention", "SCHEDULE_OFF"),
        ({"workers": 0}, "attention", "NO_WORKER"),
        ({"local": True}, "attention", "STORAGE_LOCAL"),
        ({"down": [Down(Job())]}, "bad", "INSTANCE_DOWN"),
        ({"last_backup": job()}, "attention", "LAST_FAILED"),
        ({"last_backup": job(state=State.LOST)}, "attention", "LAST_FAILED"),
        ({"last_backup": job(age=4 * HOUR)}, "good", None),
        ({"last_backup": job(state=State.CANCELLED)}, "good", None),
        ({"problems": [PROBLEM]}, "attention", "SETTINGS_WRONG"),
        ({"problems": [PROBLEM], "newest": None}, "bad", "SETTINGS_WRONG"),
        ({"newest": None}, "bad", "NO_BACKUP"),
        ({"newest": None, "current": RUNNING}, "bad", "FIRST_RUNNING"),
        ({"newest": None, "current": RESTORING}, "bad", "NO_BACKUP"),
        ({"newest": None, "looked": False}, "unknown", "NOT_LOOKED"),
        ({"newest": None, "trouble": TROUBLE}, "unknown", "BUCKET_UNREADABLE"),
        ({"newest": None, "looked": False, "trouble": TROUBLE}, "unknown", "BUCKET_UNREADABLE"),
        ({"trouble": TROUBLE}, "attention", "BUCKET_UNREADABLE"),
        ({"left_out": 2}, "attention", "FILES_LEFT_OUT"),
        ({"check": job(Kind.DRILL)}, "attention", "CHECK_FAILED"),
        ({"check": job(Kind.VERIFY, State.SUCCEEDED)}, "good", None),
        ({"alerts": [alert("BACKUP_DAMAGED", backup_key=KEY)]}, "attention", "BACKUP_DAMAGED"),
        ({"alerts": [alert("HEAD_MISSING")]}, "bad", "HEAD_MISSING"),
        ({"alerts": [alert("KEY_CHANGED")]}, "bad", "KEY_CHANGED"),
        ({"alerts": [alert("SOMETHING_NEW")]}, "attention", "SOMETHING_NEW"),
    ],
)
def test_each_fact_has_its_level_and_its_reason(facts, level, code):
    found = verdict(**facts)
    assert (found.level, found.reasons[0].code if found.reasons else None) == (level, code)


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (aged(9), "good"),  # of six in the morning, the one of two is due and was made
        (aged(14), "attention"),
        (aged(48), "attention"),
        (aged(120), "bad"),
        (aged(2, "0 * * * *"), "good"),
        (aged(4, "0 * * * *"), "attention"),
        (aged(30, "0 * * * *"), "attention"),
        (aged(40, "0 * * * *"), "bad"),
        (aged(5 * 24, "0 2 * * 1"), "attention"),
        (aged(3 * 24, "0 2 * * 1"), "good"),
        (aged(20 * 24, "0 2 1 * *"), "good"),
        (aged(7 * 24) | {"enabled": False}, "attention"),
        (aged(30 * 24) | {"enabled": False}, "bad"),
    ],
)
def test_a_backup_is_too_old_by_its_own_schedule(facts, level):
    found = verdict(**facts)
    assert found.level == level


def test_a_few_days_are_not_too_old_for_backups_made_by_hand():
    codes = {reason.code for reason in verdict(**aged(7 * 24), enabled=False).reasons}
    assert codes == {"SCHEDULE_OFF"}


def test_the_worst_reason_comes_first_and_none_is_told_twice():
    told = [alert("BACKUP_DAMAGED", backup_key=KEY), alert("HEAD_MISSING"), alert("OVERDUE")]
    found = verdict(
        alerts=told, workers=0, check=job(Kind.VERIFY, backup_key=KEY), **aged(48)
    ).reasons
    assert [one.code for one in found] == [
        "HEAD_MISSING",
        "BACKUP_DAMAGED",
        "BACKUP_OLD",
        "NO_WORKER",
    ]


def test_every_reason_has_a_hint_and_says_when_it_has_a_time():
    facts = {
        "down": [Down(Job())], "problems": [PROBLEM], "trouble": TROUBLE, "last_backup": job(),
        "left_out": 1, "check": job(Kind.DRILL), "workers": 0, "local": True, "enabled": False,
    }  # fmt: skip
    reasons = [*verdict(**facts).reasons, *verdict(newest=None, **facts).reasons]
    assert all(one.message and one.hint is not None for one in reasons)
    assert {one.code for one in reasons if one.at} == {
        "INSTANCE_DOWN",
        "LAST_FAILED",
        "CHECK_FAILED",
    }
