"""Where log lines go: the console, and `app.log` under LOGS_PATH."""

from __future__ import annotations

from logging import LogRecord
from pathlib import Path
from typing import Any

# Celery says each tick four times a minute; what jobs do is told by our own loggers.
ROUTINE = ("celery.worker.strategy", "celery.app.trace")
LINE = "{asctime} {levelname:<7} {process} {job} {name}: {message}"


def logging_config(file: Path) -> dict[str, Any]:
    """Django's LOGGING. Every line names the job it belongs to, `-` when to none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = {"formatter": "line", "filters": ["job"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "job": {"()": "backups_app.story.JobFilter"},
            "no_ticks": {"()": "django.utils.log.CallbackFilter", "callback": no_tick},
        },
        "formatters": {"line": {"format": LINE, "style": "{"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", **handler},
            "file": {"()": "backups_app.story.SharedRotatingFile", "file": str(file), **handler},
        },
        "loggers": {
            **{name: {"level": "WARNING"} for name in ROUTINE},
            "celery.beat": {"filters": ["no_ticks"]},
        },
        "root": {"handlers": ["console", "file"], "level": "INFO"},
    }


def no_tick(record: LogRecord) -> bool:
    """Drops beat's line for each tick that it sends."""
    return not str(record.msg).startswith("Scheduler: Sending due task")
