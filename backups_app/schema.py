"""Whether the database has the tables of this version: nobody works on those of another one."""

from __future__ import annotations

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from worker.engine.errors import ConfigError

APP = "backups_app"


def mismatch() -> str:
    """A sentence that says what is wrong, or an empty one."""
    ours = _ours()
    there = {name for app, name in MigrationRecorder(connection).applied_migrations() if app == APP}
    if not ours <= there:
        return "The database is older than this program: run `manage.py migrate`"
    if not there <= ours:
        return "The database is newer than this program: update and restart this worker"
    return ""


def demand() -> None:
    """Raises `ConfigError` when it has not."""
    if wrong := mismatch():
        raise ConfigError(wrong, code="SCHEMA_MISMATCH")


@cache
def _ours() -> frozenset[str]:
    """The names of the migrations that this program has."""
    loader = MigrationLoader(None)
    return frozenset(name for app, name in loader.disk_migrations if app == APP)
