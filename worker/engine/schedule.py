"""When backups are due: real cron lines in a real time zone.

Five fields as Debian's cron reads them (names, steps, lists, 0 and 7 for Sunday, day of month
OR day of week), and the aliases `@daily` and so on. A line with a fixed hour and minute that
falls into the hour skipped in spring runs at the first valid instant after it, and one that
falls into the hour repeated in autumn runs once; a line with `*` in minute or hour follows
the clock on the wall through both. Everything returned is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from worker.engine.errors import ConfigError

ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MAX_LENGTH = 200
SCHEDULE_HINT = 'Write minute, hour, day, month, weekday: "0 2 * * *" is every night at two.'
ZONE_HINT = "Use a name of the IANA list, such as America/Sao_Paulo, Europe/Lisbon or UTC."


def parse(line: str) -> str:
    """The line as five fields with single spaces. `ConfigError` when it is not a cron line.

    A line that can never come due (31 February) is refused too.
    """
    fields = ALIASES.get(line.strip().lower(), line).split()
    if len(fields) != 5:
        raise _bad("must have five fields")
    if len(line) > MAX_LENGTH or not line.isascii():
        raise _bad(f"must be plain ASCII of at most {MAX_LENGTH} characters")
    expression = " ".join(fields)
    _refuse_impossible(expression)
    return expression


def zone(name: str) -> ZoneInfo:
    """The time zone of that name. `ConfigError` when there is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError("BACKUP_TIMEZONE is not a known time zone", hint=ZONE_HINT) from error


def next_run(line: str, tz: str, after: datetime) -> datetime:
    """The first slot later than `after` (aware)."""
    return next(_slots(line, tz, after))


def next_runs(line: str, tz: str, after: datetime, *, count: int) -> list[datetime]:
    """The first `count` slots later than `after` (aware)."""
    return list(islice(_slots(line, tz, after), count))


def slots_between(line: str, tz: str, after: datetime, until: datetime) -> list[datetime]:
    """All slots later than `after` up to and with `until`, oldest first.

    As many as there are: a line for every minute has half a million a year.
    """
    return list(takewhile(lambda slot: slot <= until, _slots(line, tz, after)))


def _slots(line: str, tz: str, after: datetime) -> Iterator[datetime]:
    """Slots strictly later than `after` and strictly rising, whatever the clocks do.

    cronsim walks the wall clock for fixed hours, so what it finds while the clock shows an
    hour for the second time can lie before `after`: that slot has had its run.
    """
    latest = after.astimezone(UTC)
    for found in CronSim(parse(line), after.astimezone(zone(tz))):
        slot = found.astimezone(UTC)
        if slot > latest:
            latest = slot
            yield slot


def _refuse_impossible(expression: str) -> None:
    try:
        next(CronSim(expression, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise _bad(f"is not a cron line ({str(error).lower()})") from error
    except (StopIteration, OverflowError) as error:
        raise _bad("never comes due") from error


def _bad(complaint: str) -> ConfigError:
    return ConfigError(f"BACKUP_SCHEDULE {complaint}", hint=SCHEDULE_HINT)
