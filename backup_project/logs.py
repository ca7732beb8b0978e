"""Where log lines go: the console, and `app.log` under LOGS_PATH."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from logging import Formatter, LogRecord
from pathlib import Path
from typing import Any

from backup_project.private import private_file

# Celery says each tick four times a minute; what jobs do is told by our own loggers.
ROUTINE = ("celery.worker.strategy", "celery.app.trace")
LINE = "{asctime} {levelname:<7} {process} {job} {name}: {message}"


class JsonLines(Formatter):
    """One object a line. Times are UTC."""

    def format(self, record: LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": record.process,
            "job": getattr(record, "job", "-"),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def logging_config(file: Path, *, style: str = "text") -> dict[str, Any]:
    """Django's LOGGING. Every line names the job it belongs to, `-` when to none.

    `style` is "text" or "json". The service writes to its standard output; there commands of
    manage.py have their results, and so their log goes to standard error.
    """
    private_file(file)
    command = Path(sys.argv[0]).name == "manage.py"
    console = {"class": "logging.StreamHandler", "stream": sys.stderr if command else sys.stdout}
    handler = {"formatter": style, "filters": ["job"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {
            "job": {"()": "backups_app.story.JobFilter"},
            "no_ticks": {"()": "django.utils.log.CallbackFilter", "callback": no_tick},
        },
        "formatters": {"text": {"format": LINE, "style": "{"}, "json": {"()": JsonLines}},
        "handlers": {
            "console": {**console, **handler},
            "file": {"()": "backups_app.story.SharedRotatingFile", "file": str(file), **handler},
        },
        "loggers": {
            **{name: {"level": "WARNING"} for name in ROUTINE},
            "celery.beat": {"filters": ["no_ticks"]},
            # Uvicorn has set up handlers of its own before it loads us.
            **{name: {"handlers": [], "propagate": True} for name in ("uvicorn", "uvicorn.error")},
            # Setting up "uvicorn" would undo `--no-access-log`.
            "uvicorn.access": {"handlers": [], "propagate": False},
        },
        "root": {"handlers": ["console", "file"], "level": "INFO"},
    }


def no_tick(record: LogRecord) -> bool:
    """Drops beat's line for each tick that it sends."""
    return not str(record.msg).startswith("Scheduler: Sending due task")
