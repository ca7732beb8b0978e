"""Cron lines as Debian's cron reads them, in real time zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.errors import ConfigError
from worker.engine.schedule import ALIASES, next_run, parse, slots_between, zone

BERLIN, NEW_YORK, SAO_PAULO = "Europe/Berlin", "America/New_York", "America/Sao_Paulo"
LORD_HOWE, KATHMANDU = "Australia/Lord_Howe", "Asia/Kathmandu"
CAIRO = "Africa/Cairo"

SOME_TIME = datetime(2018, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def slots(line: str, tz: str, after: str, until: str) -> list[str]:
    found = slots_between(line, tz, utc(after), utc(until))
    return [f"{slot:%d %H:%M}" for slot in found]


@pytest.mark.parametrize(
    ("line", "tz", "after", "expected"),
    [
        ("0 2 * * *", SAO_PAULO, "2025-08-28 12:00", "2025-08-29 05:00"),
        ("0 2 * * *", SAO_PAULO, "2025-08-29 04:59:59.999", "2025-08-29 05:00"),
        ("0 2 * * *", SAO_PAULO, "2025-08-29 05:00", "2025-08-30 05:00"),
        ("0 2 * * *", SAO_PAULO, "2025-08-29 05:00:00.001", "2025-08-30 05:00"),
        ("30 5 * * *", KATHMANDU, "2025-01-01 00:00", "2025-01-01 23:45"),
        ("*/15 * * * *", "UTC", "2025-01-01 00:01", "2025-01-01 00:15"),
        ("0 2 1 * 0", "UTC", "2025-01-02 00:00", "2025-01-05 02:00"),  # first of month OR Sunday
        ("0 2 * * 7", "UTC", "2025-01-01 00:00", "2025-01-05 02:00"),  # 7 is Sunday too
        ("0 2 * * sun", "UTC", "2025-01-01 00:00", "2025-01-05 02:00"),
        ("0 2 * FEB MON-WED", "UTC", "2025-01-01 00:00", "2025-02-03 02:00"),
        ("0 0 29 2 *", "UTC", "2025-01-01 00:00", "2028-02-29 00:00"),
        ("0 0 31 * *", "UTC", "2025-02-01 00:00", "2025-03-31 00:00"),
        ("@daily", SAO_PAULO, "2025-01-01 12:00", "2025-01-02 03:00"),
        ("@Weekly", "UTC", "2025-01-01 12:00", "2025-01-05 00:00"),
        ("  0   2\t* *  * ", "UTC", "2025-01-01 12:00", "2025-01-02 02:00"),
    ],
)
def test_the_next_run_is_the_first_slot_after(
    line: str, tz: str, after: str, expected: str
) -> None:
    assert next_run(line, tz, utc(after)) == utc(expected)


@pytest.mark.row(17)
@pytest.mark.parametrize(
    ("line", "tz", "after", "until", "expected"),
    [
        # Berlin, 30 March 2025: 02:00 to 03:00 does not exist (01:00 UTC).
        ("30 2 * * *", BERLIN, "2025-03-29 12:00", "2025-03-31 12:00", ["30 01:00", "31 00:30"]),
        ("0 2,3 * * *", BERLIN, "2025-03-29 12:00", "2025-03-30 12:00", ["30 01:00"]),
        # Berlin, 26 October 2025: 02:00 to 03:00 comes twice (00:00 and 01:00 UTC).
        ("30 2 * * *", BERLIN, "2025-10-25 12:00", "2025-10-27 12:00", ["26 00:30", "27 01:30"]),
        ("30 2 * * *", BERLIN, "2025-10-26 01:10", "2025-10-26 20:00", []),
        ("*/30 * * * *", BERLIN, "2025-10-26 00:00", "2025-10-26 02:00",
         ["26 00:30", "26 01:00", "26 01:30", "26 02:00"]),
        ("*/30 * * * *", BERLIN, "2025-03-30 00:00", "2025-03-30 02:00",
         ["30 00:30", "30 01:00", "30 01:30", "30 02:00"]),
        # New York, 9 March and 2 November 2025.
        ("30 2 * * *", NEW_YORK, "2025-03-08 12:00", "2025-03-10 12:00", ["09 07:00", "10 06:30"]),
        ("30 1 * * *", NEW_YORK, "2025-11-01 12:00", "2025-11-03 12:00", ["02 05:30", "03 06:30"]),
        # Sao Paulo lost midnight on 4 November 2018, and had 23:00 twice on 17 February 2018.
        ("@daily", SAO_PAULO, "2018-11-03 12:00", "2018-11-05 12:00", ["04 03:00", "05 02:00"]),
        ("30 23 * * *", SAO_PAULO, "2018-02-17 12:00", "2018-02-19 12:00",
         ["18 01:30", "19 02:30"]),
        # Lord Howe moves its clocks by half an hour: 5 October 2025, 02:00 to 02:30 is missing.
        ("15 2 * * *", LORD_HOWE, "2025-10-04 00:00", "2025-10-05 23:00", ["04 15:30", "05 15:15"]),
        # ... and on 6 April 2025 it has 01:30 to 02:00 twice.
        ("45 1 * * *", LORD_HOWE, "2025-04-05 00:00", "2025-04-06 23:00", ["05 14:45", "06 15:15"]),
        ("*/30 * * * *", LORD_HOWE, "2025-04-05 14:00", "2025-04-05 15:30",
         ["05 14:30", "05 15:00", "05 15:30"]),
        # Cairo changes at midnight: 25 April 2025 begins at one, 30 October has 23:00 twice.
        ("30 0 * * *", CAIRO, "2025-04-24 12:00", "2025-04-25 22:00", ["24 22:00", "25 21:30"]),
        ("30 23 * * *", CAIRO, "2025-10-30 12:00", "2025-11-01 12:00", ["30 20:30", "31 21:30"]),
    ],
)  # fmt: skip
def test_changes_of_the_clock_lose_and_double_nothing(
    line: str, tz: str, after: str, until: str, expected: list[str]
) -> None:
    assert slots(line, tz, after, until) == expected


@pytest.mark.parametrize("tz", [BERLIN, NEW_YORK, SAO_PAULO, LORD_HOWE, CAIRO, "UTC"])
def test_a_nightly_backup_runs_once_on_every_day_of_a_year(tz: str) -> None:
    start = datetime(2018, 1, 1, tzinfo=ZoneInfo(tz))
    found = slots_between("30 2 * * *", tz, start, start.replace(year=2019))
    days = [slot.astimezone(ZoneInfo(tz)).date() for slot in found]
    assert days == [start.date() + timedelta(days=n) for n in range(365)]


@given(
    line=st.sampled_from(["30 2 * * *", "*/20 * * * *", "0 0 * * *", "5 1,2,3 * * *", "@hourly"]),
    tz=st.sampled_from([BERLIN, NEW_YORK, SAO_PAULO, LORD_HOWE, CAIRO]),
    start=st.integers(0, 8 * 365 * 24 * 60).map(lambda m: SOME_TIME + timedelta(minutes=m)),
    cut=st.floats(0, 1),
)
def test_slots_rise_and_do_not_depend_on_when_one_asks(
    line: str, tz: str, start: datetime, cut: float
) -> None:
    end = start + timedelta(days=3)
    whole = slots_between(line, tz, start, end)
    middle = start + (end - start) * cut
    assert all(earlier < later for earlier, later in pairwise([start, *whole]))
    assert slots_between(line, tz, start, middle) + slots_between(line, tz, middle, end) == whole


@pytest.mark.parametrize(
    "line",
    ["", "0 2 * *", "0 0 2 * * *", "60 2 * * *", "0 24 * * *", "0 2 0 * *", "0 2 32 * *",
     "0 2 * 13 *", "0 2 * * 8", "0 2 31 2 *", "0 2 30 feb *", "5-1 2 * * *", "*/0 2 * * *",
     "a b c d e", "0 2 * * mo", "-1 2 * * *", "٠ ٢ * * *", "@reboot", "@every 5m", "0 2 * * *;x",
     "0 2 * * " + "1," * 200 + "1"],
)  # fmt: skip
def test_what_is_no_cron_line_is_named_with_its_variable(line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(line)
    assert caught.value.message.startswith("BACKUP_SCHEDULE ")
    assert caught.value.hint


@given(st.text(max_size=30) | st.from_regex(r"[0-9*/,#L-]{1,6}( [0-9*/,#L-]{1,6}){4}"))
def test_no_text_breaks_the_parser(line: str) -> None:
    try:
        expression = parse(line)
    except ConfigError:
        return
    assert next_run(expression, "UTC", utc("2025-01-01 00:00")) > utc("2025-01-01 00:00")


def test_a_good_line_comes_back_as_five_fields() -> None:
    assert parse(" 0  2 * *\t* ") == "0 2 * * *"
    assert all(len(parse(alias).split()) == 5 for alias in ALIASES)


@pytest.mark.parametrize("name", ["", "America", "Mars/Olympus", "../etc/passwd", "/etc/localtime"])
def test_an_unknown_time_zone_is_named_with_its_variable(name: str) -> None:
    with pytest.raises(ConfigError, match="BACKUP_TIMEZONE"):
        zone(name)
