"""Where log lines go: the console, and `app.log` under LOGS_PATH."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LINE = "{asctime} {levelname:<7} {process} {job} {name}: {message}"


def logging_config(file: Path) -> dict[str, Any]:
    """Django's LOGGING. Every line names the job it belongs to, `-` when to none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = {"formatter": "line", "filters": ["job"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"job": {"()": "backups_app.story.JobFilter"}},
        "formatters": {"line": {"format": LINE, "style": "{"}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", **handler},
            "file": {"()": "backups_app.story.SharedRotatingFile", "file": str(file), **handler},
        },
        "root": {"handlers": ["console", "file"], "level": "INFO"},
    }
