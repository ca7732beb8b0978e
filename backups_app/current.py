"""Settings that are changed while we run: read again now and then, so that most need no restart.

What is wired up when a process starts (servers, log, port, secret) stays as it was then.
"""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from typing import Final

from django.conf import settings

from backup_project.web_settings import in_effect
from worker.engine.settings import Settings, read_settings

log = logging.getLogger(__name__)

AT_START: Final = (
    "redis_url", "database_url", "secret_key", "logs_path", "log_format", "port", "embedded_s3",
    "host",
)  # fmt: skip


def refresh() -> None:
    """Take up what `.env` and files of secrets say now, if that is not what was read last.

    A running job goes on with the settings that it began with.
    """
    fresh = read_settings(base_dir=settings.BASE_DIR)
    before: Settings = settings.TARKEEP_READ
    if fresh == before:
        return
    changed = [
        f.name for f in fields(Settings) if getattr(fresh, f.name) != getattr(before, f.name)
    ]
    log.info("Settings have changed: %s", ", ".join(changed))
    if late := [name for name in changed if name in AT_START]:
        log.warning("A restart is needed for: %s", ", ".join(late))
    kept = {name: getattr(settings.TARKEEP, name) for name in AT_START}
    settings.TARKEEP_READ = fresh
    problems = fresh.problems + settings.WEB_PROBLEMS
    settings.TARKEEP = replace(fresh, **kept, problems=problems)
    settings.SETTINGS_IN_EFFECT = in_effect(settings.BASE_DIR)
