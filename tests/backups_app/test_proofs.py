"""Which backup a scheduled check takes, and what marks one as damaged."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from backups_app import proofs
from backups_app.models import Job, Kind
from backups_app.states import State
from tests.support.service import finished_job
from worker.engine.catalogue import BackupInfo
from worker.engine.errors import ArchiveError

pytestmark = pytest.mark.django_db
NOW = datetime(2025, 8, 29, tzinfo=UTC)
BACKUPS = [BackupInfo(name, NOW, NOW, 1) for name in ("newest", "middle", "oldest")]


def ended(key, kind=Kind.VERIFY, *, code="", days_ago=0):
    state = State.FAILED if code else State.SUCCEEDED
    job = finished_job(state, kind=kind, backup_key=key, error_code=code)
    at = timezone.now() - timedelta(days=days_ago)
    Job.objects.filter(pk=job.pk).update(finished_at=at)


def chosen(kind=Kind.VERIFY):
    return proofs.choose(proofs.records("default"), BACKUPS, kind)


def test_the_newest_that_nobody_proved_is_taken():
    assert chosen() == "newest"
    ended("newest")
    assert chosen() == "middle"


def test_when_all_are_proved_the_oldest_proof_is_renewed():
    for days, key in enumerate(("newest", "middle", "oldest")):
        ended(key, days_ago=days)
    assert chosen() == "oldest"


def test_what_a_drill_proved_needs_no_verification_but_not_the_other_way_round():
    ended("newest", Kind.DRILL)
    ended("middle", Kind.VERIFY)
    assert chosen(Kind.VERIFY) == "oldest"
    assert chosen(Kind.DRILL) == "middle"


def test_a_damaged_backup_is_only_taken_when_there_is_nothing_else():
    ended("newest", code="ARCHIVE_DAMAGED")
    assert chosen() == "middle"
    ended("middle", code="ARCHIVE_DAMAGED")
    ended("oldest", code="ARCHIVE_DAMAGED")
    assert chosen() == "newest"


def test_there_may_be_nothing_to_take():
    with pytest.raises(ArchiveError) as refused:
        proofs.choose({}, [], Kind.DRILL)
    assert refused.value.code == "BACKUP_NOT_FOUND"


@pytest.mark.parametrize(
    "code", ["STORAGE_UNREACHABLE", "ENCRYPTION_KEY_WRONG", "TARGET_NO_SPACE", "STALLED"]
)
def test_what_is_not_the_backups_fault_does_not_mark_it(code):
    ended("newest", code=code)
    assert proofs.damages("default") == {}


def test_damage_lasts_until_a_check_of_all_of_it_goes_well():
    ended("newest", code="INDEX_DAMAGED", days_ago=3)
    ended("newest", Kind.RESTORE, days_ago=2)
    assert proofs.damages("default").keys() == {"newest"}
    ended("newest", days_ago=1)
    assert proofs.damages("default") == {}
    assert proofs.damages("other plan") == {}
