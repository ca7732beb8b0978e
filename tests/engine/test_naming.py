"""Keys: what we build we recognise, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.config import PlanConfig
from worker.engine.errors import ArchiveError
from worker.engine.naming import archive_key, check_key, index_key, metadata_key, parse_key

PLAN = PlanConfig()
FIRST = datetime(1000, 1, 1)  # noqa: DTZ001 - Hypothesis takes bounds without a zone
KEY = "backups/whatsapp-data-backup-2025-08-29T05-00-00-000Z.tar.gz"


def test_the_key_holds_the_time_in_utc() -> None:
    at = datetime(2025, 8, 29, 2, 0, tzinfo=timezone(timedelta(hours=-3)))
    assert archive_key(PLAN, at) == KEY


def test_metadata_and_index_lie_beside_the_archive() -> None:
    assert metadata_key(KEY) == f"{KEY}.metadata.json"
    assert index_key(KEY) == f"{KEY}.index"


@given(
    at=st.datetimes(FIRST, timezones=st.timezones()),
    name=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    prefix=st.sampled_from(["", "backups/", "a/b/"]),
)
def test_every_key_we_build_is_recognised(at: datetime, name: str, prefix: str) -> None:
    plan = PlanConfig(name=name, prefix=prefix)
    key = archive_key(plan, at)
    parsed = parse_key(plan, check_key(plan, key))
    assert parsed is not None
    assert timedelta() <= at.astimezone(UTC) - parsed < timedelta(milliseconds=1)


@given(st.datetimes(FIRST), st.datetimes(FIRST))
def test_keys_sort_as_their_times_do(one: datetime, other: datetime) -> None:
    keys = [archive_key(PLAN, at.replace(tzinfo=UTC)) for at in (one, other)]
    times = [parse_key(PLAN, key) for key in keys]
    assert (keys[0] < keys[1]) == (times[0] < times[1])  # type: ignore[operator]


@pytest.mark.parametrize(
    "key",
    [
        "", "latest", "backups/", KEY + "\n", KEY + " ", " " + KEY, "/" + KEY, "./" + KEY,
        KEY.replace("backups/", "backups/../backups/"), KEY.replace("backups/", "backups//"),
        KEY.replace("backups/", "other/"), KEY.replace("backups/", ""),
        KEY.replace("whatsapp", "telegram"), KEY.replace("whatsapp", "whatsapp/.."),
        KEY.replace("2025", "%2e%2e"), KEY.replace("2025", "٢٠٢٥"), KEY.replace("-29T", "-31T.."),
        KEY.replace("08-29", "02-30"), KEY.replace("08-29", "13-01"), KEY.replace("T05", "T24"),
        KEY.replace("2025", "0000"), KEY.replace("-000Z", "-00Z"), KEY.replace("Z.tar", ".tar"),
        KEY.replace(".tar.gz", ".tar.gz\0"), KEY.replace(".tar.gz", ".TAR.GZ"), KEY + ".index",
        KEY + ".metadata.json", KEY.replace(".tar.gz", ".tar.gz/x"), KEY.replace("/", "\\"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(key: str) -> None:
    assert parse_key(PLAN, key) is None
    with pytest.raises(ArchiveError) as caught:
        check_key(PLAN, key)
    assert caught.value.code == "KEY_MALFORMED"
    assert not key.strip() or key not in caught.value.message


@given(st.text())
def test_no_text_is_taken_for_a_key_that_we_would_not_write(text: str) -> None:
    parsed = parse_key(PLAN, text)
    assert parsed is None or archive_key(PLAN, parsed) == text


def test_names_that_begin_alike_are_kept_apart() -> None:
    longer = PlanConfig(name="whatsapp-data-backup-2025")
    key = archive_key(longer, datetime(2025, 1, 1, tzinfo=UTC))
    assert parse_key(longer, key)
    assert parse_key(PLAN, key) is None
