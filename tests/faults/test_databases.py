"""Rows 21 to 23: a database that is away, locked or full."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, suppress

import pytest
from django.db import connection

from backups_app.states import State
from tests.support.own_database import django
from tests.support.realworker import (
    caught_in_the_middle,
    gate,
    state,
    until,
    workers,
)
from tests.support.root import needs_root

__all__ = ["gate", "workers"]
pytestmark = pytest.mark.django_db(transaction=True)


def test_row_21_a_database_that_restarts_costs_no_backup(workers, settings, gate):
    _, job = caught_in_the_middle(workers, settings, gate)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    gate.set()
    until(lambda: state(job) == State.SUCCEEDED)


LOCKER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
"""
CLAIM = """
from backups_app.models import Job
print(Job.objects.claim(Job.objects.get().pk, owner="a").state)
"""
TRY = """
from django.db import DatabaseError
from backups_app.models import Job
job = Job.objects.get()
try:
    for attempt in range(1000):
        job.update(error_hint=f"{attempt}" * 9999)
except DatabaseError as error:
    print(type(error).__name__)
print(Job.objects.get().state)
"""
JOB = "from backups_app.models import Job; Job.objects.create(kind='backup')"


@pytest.fixture
def sqlite(tmp_path):
    """A SQLite database of the service, with one job that waits."""
    path = tmp_path / "own" / "service.sqlite3"
    path.parent.mkdir()
    django(
        "from django.core.management import call_command as c; c('migrate')", f"sqlite:///{path}"
    )
    django(JOB, f"sqlite:///{path}")
    return path


def test_row_22_a_locked_sqlite_is_waited_for(sqlite):
    locker = subprocess.Popen(
        [sys.executable, "-c", LOCKER, str(sqlite)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert locker.stdout.readline() == "locked\n"
    letting_go = threading.Timer(5, lambda: (locker.stdin.write("\n"), locker.stdin.flush()))
    letting_go.start()
    try:
        assert django(CLAIM, f"sqlite:///{sqlite}").strip() == "RUNNING"
    finally:
        letting_go.join()
        locker.wait()


@pytest.fixture
def disk(tmp_path):
    """A disk of two MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@needs_root("mounting takes root")
def test_row_23_on_a_full_disk_nothing_is_claimed_and_all_can_be_read(sqlite, disk):
    path = disk / sqlite.name
    shutil.copy(sqlite, path)
    # As in a service that runs: others have it open.
    with closing(sqlite3.connect(path)) as opened, (disk / "filler").open("wb", 0) as filler:
        opened.execute("SELECT count(*) FROM backups_app_job").fetchone()
        with suppress(OSError):
            while True:
                filler.write(bytes(4096))
        told = django(TRY, f"sqlite:///{path}").split()
    assert told == ["OperationalError", "PENDING"]
    (disk / "filler").unlink()
    assert django(CLAIM, f"sqlite:///{path}").strip() == "RUNNING"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
