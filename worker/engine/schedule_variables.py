"""The settings of the schedules: whether, when, in which time zone, and how late."""

from __future__ import annotations

from typing import Any, Final

from worker.engine import values
from worker.engine.environment import Variable

ENABLED: Final = Variable("BACKUP_ENABLED", values.flag, "false", "turns the schedule on")
SCHEDULE: Final = Variable("BACKUP_SCHEDULE", values.cron_line, "0 2 * * *", "when, as a cron line")
VERIFY_SCHEDULE: Final = Variable(
    "BACKUP_VERIFY_SCHEDULE",
    values.cron_line_or_off,
    "30 4 * * 0",
    "when a backup is read back and checked, as a cron line, or off",
)
DRILL_SCHEDULE: Final = Variable(
    "BACKUP_DRILL_SCHEDULE",
    values.cron_line_or_off,
    "off",
    "when a backup is restored into a scratch folder to prove it, as a cron line, or off",
)
TIMEZONE: Final = Variable(
    "BACKUP_TIMEZONE", values.time_zone, "America/Sao_Paulo", "the schedule's time zone"
)
CATCHUP_HOURS: Final = Variable(
    "BACKUP_CATCHUP_HOURS",
    values.whole_number(0, 8760),
    "24",
    "how late a missed backup is still made up; 0 is never",
)
JITTER_MINUTES: Final = Variable(
    "BACKUP_JITTER_MINUTES",
    values.whole_number(0, 720),
    "0",
    "scheduled runs begin up to so many minutes later, each by another time",
)
SCHEDULE_VARIABLES: Final[tuple[Variable[Any], ...]] = (
    ENABLED, SCHEDULE, VERIFY_SCHEDULE, DRILL_SCHEDULE, TIMEZONE, CATCHUP_HOURS, JITTER_MINUTES,
)  # fmt: skip
