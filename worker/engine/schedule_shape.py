"""What a cron line means, taken apart, so that it can be said in words of any language."""

from __future__ import annotations

from typing import TypedDict

from worker.engine.schedule import parse

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class Shape(TypedDict):
    """`every`: minutes, hour, day, week, month, or other (no simple sentence says it).

    `step` minutes for `minutes`; `minute` for `hour`; `times` ("02:00") for the rest, on `days`:
    of the week (0 is Sunday) or of the month.
    """

    every: str
    step: int
    minute: int
    times: list[str]
    days: list[int]


def shape(line: str) -> Shape:
    """Of a line as `schedule.parse` takes it. `ConfigError` when it is none."""
    minute, hour, day, month, weekday = parse(line).lower().split()
    step = _step(minute)
    if (hour, day, month, weekday) == ("*",) * 4 and (step or minute.isdigit()):
        return _shape("minutes", step=step) if step else _shape("hour", minute=int(minute))
    hours, minutes = _numbers(hour, 23), _numbers(minute, 59)
    if month != "*" or not hours or len(minutes) != 1 or (day != "*" and weekday != "*"):
        return _shape("other")
    times = [f"{one:02}:{minutes[0]:02}" for one in hours]
    if day == weekday == "*":
        return _shape("day", times=times)
    every, days = ("week", _weekdays(weekday)) if day == "*" else ("month", _numbers(day, 31))
    return _shape(every, times=times, days=days) if days else _shape("other")


def _shape(
    every: str,
    *,
    step: int = 0,
    minute: int = 0,
    times: list[str] | None = None,
    days: list[int] | None = None,
) -> Shape:
    return {
        "every": every,
        "step": step,
        "minute": minute,
        "times": times or [],
        "days": days or [],
    }


def _step(minute: str) -> int:
    """Of `*` and `*/5`; 0 for anything else, and where an hour does not divide evenly."""
    step = 1 if minute == "*" else int(minute[2:]) if minute.startswith("*/") else 0
    return step if step and 60 % step == 0 else 0


def _numbers(text: str, most: int) -> list[int]:
    """Of a list such as `1,15`; empty for anything with steps, ranges or stars."""
    parts = text.split(",")
    if not all(part.isdigit() and int(part) <= most for part in parts):
        return []
    return sorted({int(part) for part in parts})


def _weekdays(text: str) -> list[int]:
    """Of names, numbers and ranges; 7 is Sunday too."""
    found: set[int] = set()
    for part in text.split(","):
        ends = [_weekday(end) for end in part.split("-")]
        if None in ends or len(ends) > 2:
            return []
        first, last = int(ends[0] or 0), int(ends[-1] or 0)
        found |= {day % 7 for day in range(first, last + 1)}
    return sorted(found)


def _weekday(text: str) -> int | None:
    if text in _WEEKDAYS:
        return _WEEKDAYS.index(text)
    return int(text) if text.isdigit() and int(text) <= 7 else None
