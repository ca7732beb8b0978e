"""What a cron line means, taken apart."""

import pytest

from worker.engine.schedule_shape import shape


@pytest.mark.parametrize(
    ("line", "every", "what"),
    [
        ("* * * * *", "minutes", {"step": 1}),
        ("*/15 * * * *", "minutes", {"step": 15}),
        ("*/7 * * * *", "other", {}),
        ("5 * * * *", "hour", {"minute": 5}),
        ("@hourly", "hour", {"minute": 0}),
        ("0 2 * * *", "day", {"times": ["02:00"]}),
        ("30 4,16 * * *", "day", {"times": ["04:30", "16:30"]}),
        ("0 2 * * mon-fri", "week", {"times": ["02:00"], "days": [1, 2, 3, 4, 5]}),
        ("0 2 * * 6,7", "week", {"times": ["02:00"], "days": [0, 6]}),
        ("0 2 1,15 * *", "month", {"times": ["02:00"], "days": [1, 15]}),
        ("0 2 1 * 1", "other", {}),
        ("0 2 1 1 *", "other", {}),
        ("0 8-18 * * *", "other", {}),
        ("0,30 2 * * *", "other", {}),
        ("0 2 * * 1/2", "other", {}),
    ],
)
def test_lines_that_a_sentence_can_say_are_taken_apart(line, every, what):
    empty = {"step": 0, "minute": 0, "times": [], "days": []}
    assert shape(line) == {"every": every, **empty, **what}
