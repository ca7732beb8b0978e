"""Retention: what goes, what never goes, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.test_catalogue import put_backup
from tests.support.memory_storage import MemoryStorage
from worker.engine.catalogue import BackupInfo, list_backups
from worker.engine.config import PlanConfig, StorageConfig
from worker.engine.errors import JobStopped
from worker.engine.metadata import Metadata
from worker.engine.naming import archive_key, index_key, mark_keys, metadata_key
from worker.engine.progress import Progress
from worker.engine.retention import Held, Judgement, apply, judge
from worker.engine.storage.s3 import open_storage

PLAN = PlanConfig(max_backups=3)
ANY = 10**6  # backups may go at once: what is judged here is which
START = datetime(2025, 1, 1, tzinfo=UTC)


def info(hours: int, data: int | None = 100, **marks: bool) -> BackupInfo:
    """A backup of that hour, of `data` bytes."""
    at = START + timedelta(hours=hours)
    made = Metadata(at.isoformat(), 1, "sha256:" + "0" * 64, True, False, "1", data_size=data)
    return BackupInfo(archive_key(PLAN, at), at, at, 1, made, **marks)


HOURS = st.lists(st.integers(0, 40_000), unique=True, max_size=60)
backups = HOURS.map(lambda hours: [info(h) for h in hours])
counts = st.integers(0, 12)
plans = st.builds(
    PlanConfig,
    max_backups=st.integers(1, 20),
    keep_daily=counts,
    keep_weekly=counts,
    keep_monthly=counts,
    keep_yearly=counts,
    most_deleted=st.just(ANY),
    timezone=st.sampled_from(["UTC", "America/Sao_Paulo", "Pacific/Kiritimati", "Europe/Berlin"]),
)


@st.composite
def situations(draw: st.DrawFn) -> tuple[list[BackupInfo], PlanConfig, Held]:
    """Backups of any sizes and marks, a plan, and what is held."""
    found = [
        info(
            hour,
            draw(st.sampled_from([None, 0, 1, 40, 60, 100, 1000])),
            pinned=draw(st.booleans()),
            confirmed=draw(st.booleans()),
        )
        for hour in draw(HOURS)
    ]
    keys = st.frozensets(st.sampled_from([one.key for one in found] or ["none"]), max_size=4)
    return found, draw(plans), Held(draw(keys), draw(keys), draw(keys))


def gone(judgement: Judgement) -> list[str]:
    return [one.key for one in judgement.doomed]


@given(backups, st.integers(1, 50))
def test_all_but_the_newest_go_oldest_first(have: list[BackupInfo], keep: int) -> None:
    doomed = judge(have, PlanConfig(max_backups=keep, most_deleted=ANY)).doomed
    stays = [one for one in have if one not in doomed]
    assert len(stays) == min(keep, len(have))
    assert doomed == sorted(doomed, key=lambda one: one.created)
    assert all(old.created < new.created for old in doomed for new in stays)


@given(situations())
def test_what_is_newest_pinned_verified_or_in_use_never_goes(
    situation: tuple[list[BackupInfo], PlanConfig, Held],
) -> None:
    found, plan, held = situation
    doomed = set(gone(judge(found, plan, held)))
    assert not doomed & (held.verified | held.in_use | {one.key for one in found if one.pinned})
    assert not found or max(found, key=lambda one: one.created).key not in doomed


@given(situations())
def test_never_fewer_sound_backups_than_the_number_asked_for(
    situation: tuple[list[BackupInfo], PlanConfig, Held],
) -> None:
    found, plan, held = situation
    doomed = set(gone(judge(found, plan, held)))
    sound = [one for one in found if one.key not in held.damaged]
    left = [one for one in sound if one.key not in doomed]
    assert len(left) >= min(plan.max_backups, len(sound))


@given(situations())
def test_every_backup_has_one_verdict_with_a_reason_newest_first(
    situation: tuple[list[BackupInfo], PlanConfig, Held],
) -> None:
    found, plan, held = situation
    verdicts = judge(found, plan, held).verdicts
    assert [one.backup for one in verdicts] == sorted(found, key=lambda one: one.created)[::-1]
    assert all(one.reason.startswith(("it ", "otherwise ")) for one in verdicts)


@given(situations(), st.randoms())
def test_the_order_in_which_the_bucket_lists_means_nothing(
    situation: tuple[list[BackupInfo], PlanConfig, Held], random: Random
) -> None:
    found, plan, held = situation
    mixed = random.sample(found, len(found))
    assert judge(mixed, plan, held) == judge(found, plan, held)


@given(backups, plans)
def test_a_second_look_finds_nothing_more_to_delete(
    have: list[BackupInfo], plan: PlanConfig
) -> None:
    doomed = set(gone(judge(have, plan)))
    assert gone(judge([one for one in have if one.key not in doomed], plan)) == []


@given(backups, plans)
def test_pruning_after_each_backup_keeps_what_pruning_once_keeps(
    have: list[BackupInfo], plan: PlanConfig
) -> None:
    kept: list[BackupInfo] = []
    for one in sorted(have, key=lambda one: one.created):
        doomed = set(gone(judge([*kept, one], plan)))
        kept = [old for old in (*kept, one) if old.key not in doomed]
    once = judge(have, plan)
    assert {one.key for one in kept} == {one.key for one in have} - set(gone(once))


@given(situations())
def test_nothing_goes_while_the_newest_has_lost_half_of_the_data(
    situation: tuple[list[BackupInfo], PlanConfig, Held],
) -> None:
    found, plan, held = situation
    later = max((one.created for one in found), default=START) + timedelta(hours=1)
    hours = int((later - START).total_seconds()) // 3600
    judgement = judge([*found, info(hours, 10_000), info(hours + 1, 4_999)], plan, held)
    assert (judgement.doomed, judgement.suspect) == ([], info(hours + 1, 4_999))
    assert judgement.halted


@given(backups, plans)
def test_each_period_keeps_its_last_backup(have: list[BackupInfo], plan: PlanConfig) -> None:
    zone = ZoneInfo(plan.timezone)
    kept = {one.backup.key for one in judge(have, plan).verdicts if one.keep}
    for count, period in (
        (plan.keep_daily, "%Y-%m-%d"),
        (plan.keep_weekly, "%G-%V"),
        (plan.keep_monthly, "%Y-%m"),
        (plan.keep_yearly, "%Y"),
    ):
        last: dict[str, BackupInfo] = {}
        for one in sorted(have, key=lambda one: one.created):
            last[one.created.astimezone(zone).strftime(period)] = one
        wanted = sorted(last.values(), key=lambda one: one.created)[::-1][:count]
        assert kept >= {one.key for one in wanted}


def test_days_are_those_of_the_schedules_time_zone() -> None:
    """23:30 and 00:30 UTC: one evening in Sao Paulo, two days in London's winter."""
    have = [info(23), info(24), info(24 * 5)]
    plan = PlanConfig(max_backups=1, keep_daily=3)
    assert gone(judge(have, replace(plan, timezone="UTC"))) == []
    assert gone(judge(have, replace(plan, timezone="America/Sao_Paulo"))) == [have[0].key]


def test_the_reasons_say_in_words_why_each_stays_or_goes() -> None:
    have = [info(24 * day, pinned=day == 1) for day in range(5)]
    plan = PlanConfig(max_backups=2, keep_weekly=1)
    told = [(one.keep, one.reason) for one in judge(have, plan).verdicts]
    assert told == [
        (True, "it is one of the 2 newest; it is the last of its week"),
        (True, "it is one of the 2 newest"),
        (False, "it is not among the 2 newest, the last ones of 1 week(s)"),
        (True, "it is pinned"),
        (False, "it is not among the 2 newest, the last ones of 1 week(s)"),
    ]


@pytest.mark.parametrize(
    ("sizes", "halted"),
    [
        ([100, 50], False), ([100, 49], True), ([100, 0], True), ([0, 0], False),
        ([100, 49, 49], True), ([100, 49, 60], False), ([100, None, 49], True),
        ([None, 10], False), ([10, 100], False), ([100, 60, 31], False),
    ],
)  # fmt: skip
def test_less_than_half_the_data_is_suspicious(sizes: list[int | None], halted: bool) -> None:
    have = [info(hour, size) for hour, size in enumerate(sizes)]
    judgement = judge(have, PlanConfig(max_backups=1))
    assert bool(judgement.halted) == halted
    assert (judgement.doomed == []) == halted


def test_a_confirmed_backup_is_the_measure_from_then_on() -> None:
    have = [info(0, 100), info(1, 10, confirmed=True), info(2, 9)]
    assert gone(judge(have, PlanConfig(max_backups=2))) == [have[0].key]


def test_a_shrunken_backup_between_good_ones_does_not_push_one_out() -> None:
    have = [info(0), info(1, 1), info(2), info(3)]
    assert gone(judge(have, PlanConfig(max_backups=3))) == []
    assert gone(judge([*have, info(4)], PlanConfig(max_backups=3))) == [have[0].key, have[1].key]


def test_a_damaged_backup_does_not_count_and_goes_with_those_of_its_age() -> None:
    have = [info(hour) for hour in range(4)]
    damaged = Held(damaged=frozenset({have[2].key}))
    assert gone(judge(have, PlanConfig(max_backups=2), damaged)) == [have[0].key]
    everything = Held(damaged=frozenset(one.key for one in have))
    assert gone(judge(have, PlanConfig(max_backups=2), everything)) == []


def test_keeping_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        judge([info(1)], PlanConfig(max_backups=0))


def test_old_backups_go_with_metadata_first() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == keys[:2]
    order = [[metadata_key(key), key, index_key(key), *mark_keys(key)] for key in keys[:2]]
    assert storage.deleted == order[0] + order[1]
    assert [one.key for one in list_backups(storage, PLAN)] == keys[:1:-1]


def test_foreign_objects_and_unfinished_archives_stay() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    storage.delete(metadata_key(keys[0]))
    foreign = ["backups/notes.txt", keys[1] + ".bak", keys[1].replace("whatsapp", "other")]
    for key in foreign:
        storage.put(key, b"x")
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == [keys[1]]
    assert set(foreign) | {keys[0]} <= storage.objects.keys()


def test_nothing_goes_when_the_new_backup_is_not_in_the_list() -> None:
    storage = MemoryStorage()
    for number in range(1, 6):
        put_backup(storage, number)
    before = set(storage.objects)
    missing = archive_key(PLAN, START)
    assert apply(storage, PLAN, Progress(), just_made=missing) == []
    assert set(storage.objects) == before


def test_the_backup_just_made_stays_though_a_wrong_clock_made_it_old() -> None:
    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[0]) == [keys[1]]
    assert keys[0] in storage.objects


def test_a_run_that_lost_its_lease_deletes_nothing() -> None:
    class Lost(Progress):
        def commit(self, step: str) -> None:
            raise JobStopped(step, code="LEASE_LOST")

    storage = MemoryStorage()
    keys = [put_backup(storage, number) for number in range(1, 6)]
    with pytest.raises(JobStopped):
        apply(storage, PLAN, Lost(), just_made=keys[-1])
    assert storage.deleted == []


def test_it_all_works_on_a_real_server(storage_config: StorageConfig) -> None:
    storage = open_storage(storage_config)
    keys = [put_backup(storage, number) for number in range(1, 6)]
    assert apply(storage, PLAN, Progress(), just_made=keys[-1]) == keys[:2]
    left = {item.key for item in storage.list("")}
    assert left == {name for key in keys[2:] for name in (key, index_key(key), metadata_key(key))}


def test_many_at_once_go_only_when_somebody_said_so() -> None:
    """`BACKUP_MAX_BACKUPS=3` where 30 was meant, say."""
    plan = PlanConfig(max_backups=2)
    have = [info(hours) for hours in range(8)]
    assert (gone(judge(have, plan)), judge(have, plan).code) == ([], "RETENTION_HALTED")
    assert "6 of 8 backups" in judge(have, plan).halted
    said = [*have[:7], info(7, confirmed=True)]
    assert gone(judge(said, plan)) == [one.key for one in have[:6]]
    assert gone(judge([*said, info(8)], plan)) == [one.key for one in have[:7]]
    later = [info(hours) for hours in range(8, 16)]
    assert gone(judge([*said, *later], plan)) == []  # those were not there to be asked about


def test_five_at_once_go_by_themselves() -> None:
    have = [info(hours) for hours in range(7)]
    assert len(gone(judge(have, PlanConfig(max_backups=2)))) == 5


def test_the_lease_is_asked_for_before_each_deletion() -> None:
    storage, asked = MemoryStorage(), []

    class Losing(Progress):
        def commit(self, step: str) -> None:
            asked.append(step)
            if len(asked) == 2:
                raise JobStopped("lost", code="LEASE_LOST")

    keys = [put_backup(storage, number) for number in range(1, 7)]
    with pytest.raises(JobStopped):
        apply(storage, PLAN, Losing(), just_made=keys[-1])
    assert asked == ["prune", "prune"]
    assert [one.key for one in list_backups(storage, PLAN)] == keys[:0:-1]
